/** One run of a workflow: its id is learned from the first step that opens it. */
export type Execution = { readonly workflow_id: string; readonly execution_id: string | undefined }
