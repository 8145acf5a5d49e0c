import { useEffect, useRef, useState } from 'preact/hooks'
import { href } from './route.ts'
import { replaceRoute } from './use-route.ts'

/** Milliseconds after the last key before what was typed is looked for. */
const DELAY = 500

export type FilterDraft<Filter> = {
  readonly draft: Filter
  readonly type: (part: Partial<Filter>) => void
  readonly apply: () => void
  /** Types and applies. */
  readonly choose: (part: Partial<Filter>) => void
}

/**
 * The filter of a room as it is being typed, put into the address by `apply`, or by itself when no key came for a while.
 * What is typed stays, whatever comes meanwhile.
 */
export function useFilterDraft<Filter extends Readonly<Record<string, string>>>(
  room: string,
  search: URLSearchParams,
  read: (search: URLSearchParams) => Filter,
): FilterDraft<Filter> {
  const asked = read(search)
  const key = JSON.stringify(asked)
  const [draft, setDraft] = useState(asked)
  const applied = useRef(key)
  const waiting = useRef<{ filter: Filter; timer: ReturnType<typeof setTimeout> }>(undefined)
  function forget(): void {
    clearTimeout(waiting.current?.timer)
    waiting.current = undefined
  }
  function apply(): void {
    if (!waiting.current) return
    const filter = read(new URLSearchParams(waiting.current.filter))
    forget()
    applied.current = JSON.stringify(filter)
    replaceRoute(href([room], filter))
  }
  function type(part: Partial<Filter>): void {
    const filter = { ...draft, ...part }
    setDraft(filter)
    forget()
    waiting.current = { filter, timer: setTimeout(apply, DELAY) }
  }
  function choose(part: Partial<Filter>): void {
    type(part)
    apply()
  }
  // A link or the way back brings a filter of its own; the one that this form put there is shown already.
  useEffect(() => {
    if (key === applied.current) return
    forget()
    applied.current = key
    setDraft(asked)
  }, [key])
  useEffect(() => forget, [])
  return { draft, type, apply, choose }
}
