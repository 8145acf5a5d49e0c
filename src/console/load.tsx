import type { ComponentChildren } from 'preact'
import { useCallback, useEffect, useState } from 'preact/hooks'
import { RequestFailed } from './api.ts'
import { FailureNote } from './failure.tsx'

export type Load<T> = {
  readonly data?: T
  readonly failed?: RequestFailed
  readonly reload: () => void
}

/**
 * What `load` answers, loaded anew when `key` changes or `reload` is called; what stood there stays until then. A server
 * that asks for patience (429, 503) is asked again after it.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Load<T> {
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<{ key: string; data?: T; failed?: RequestFailed }>({ key })
  const reload = useCallback(() => setTurn(count => count + 1), [])
  // `key` stands for everything that `load` closes over
  useEffect(() => {
    const asked = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    load(asked.signal).then(
      data => !asked.signal.aborted && setState({ key, data }),
      (error: unknown) => {
        if (asked.signal.aborted) return
        const failed = asFailure(error)
        setState(before => (before.key === key ? { ...before, failed } : { key, failed }))
        if (failed.retry_after > 0) timer = setTimeout(reload, failed.retry_after * 1000)
      },
    )
    return () => {
      clearTimeout(timer)
      asked.abort()
    }
  }, [key, turn])
  return state.key === key ? { ...state, reload } : { reload }
}

/** Shows what was loaded, or why it was not. */
export function Loaded<T>({
  load,
  what,
  children,
}: {
  load: Load<T>
  what: string
  children: (data: T) => ComponentChildren
}) {
  const { data, failed, reload } = load
  return (
    <>
      {failed && <FailureNote failed={failed} retry={reload} />}
      {data === undefined && !failed && <p class="quiet loading">Loading {what}…</p>}
      {data !== undefined && children(data)}
    </>
  )
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="quiet empty">{children}</p>
}

/** What is not a refusal is a mistake of this page, and is said rather than swallowed. */
export function asFailure(error: unknown): RequestFailed {
  if (error instanceof RequestFailed) return error
  console.error(error)
  return new RequestFailed(0, 'page_error', 'This page made a mistake; reload it. The browser console has the details.')
}
