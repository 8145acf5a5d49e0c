import { useCallback, useEffect, useState } from 'preact/hooks'
import type { RequestFailed } from './api.ts'
import { asFailure, type Load } from './load.tsx'

/** Seconds between two looks. */
export const EVERY = 2

/**
 * What `load` answers, asked again every so many seconds while somebody looks at the page; with 0 it is asked once. What
 * stands there stays until something newer comes. A refusal that would only be repeated ends it, because each leaves a
 * row in the audit trail.
 */
export function usePoll<T>(key: string, load: (signal: AbortSignal) => Promise<T>, seconds: number = EVERY): Load<T> {
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<{ key: string; data?: T; failed?: RequestFailed }>({ key })
  const reload = useCallback(() => setTurn(count => count + 1), [])
  // `key` stands for everything that `load` closes over
  useEffect(() => {
    const asked = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let isDue = false
    function wait(pause: number): void {
      if (pause === 0) return
      timer = setTimeout(() => {
        isDue = document.hidden
        if (!isDue) look()
      }, pause * 1000)
    }
    async function look(): Promise<void> {
      isDue = false
      try {
        const data = await load(asked.signal)
        if (asked.signal.aborted) return
        setState({ key, data })
        wait(seconds)
      } catch (error) {
        if (asked.signal.aborted) return
        const failed = asFailure(error)
        setState(before => (before.key === key ? { ...before, failed } : { key, failed }))
        if (isPassing(failed)) wait(Math.max(seconds, failed.retry_after))
      }
    }
    function looked(): void {
      if (isDue && !document.hidden) look()
    }
    document.addEventListener('visibilitychange', looked)
    look()
    return () => {
      document.removeEventListener('visibilitychange', looked)
      clearTimeout(timer)
      asked.abort()
    }
  }, [key, turn, seconds])
  return state.key === key ? { ...state, reload } : { reload }
}

function isPassing({ status }: RequestFailed): boolean {
  return status === 0 || status === 429 || status >= 500
}
