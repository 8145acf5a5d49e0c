/** One run of a workflow: its id is learned from the first step that opens it. */
export type Execution = {
  readonly workflow_id: string
  readonly execution_id: string | undefined
  /** Mints one at a time until the id is known, so that two first steps make one run; what `mint` answers names it. */
  readonly mint: <T extends { readonly execution_id?: string | undefined }>(
    mint: (execution_id: string | undefined) => Promise<T>,
  ) => Promise<T>
}

/** A run of a workflow: one that was opened before where `execution_id` is given, else a new one. */
export function createExecution(named: { readonly workflow_id: string; readonly execution_id?: string }): Execution {
  let execution_id = named.execution_id
  let opening: Promise<unknown> = Promise.resolve()
  return {
    workflow_id: named.workflow_id,
    get execution_id() {
      return execution_id
    },
    async mint(mint) {
      if (execution_id !== undefined) return await mint(execution_id)
      const opened = opening.then(async () => {
        const minted = await mint(execution_id)
        execution_id ??= minted.execution_id
        return minted
      })
      opening = opened.catch(() => undefined)
      return await opened
    },
  }
}
