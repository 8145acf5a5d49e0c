import { useEffect, useRef, useState } from 'preact/hooks'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { get, query, type RequestFailed } from './api.ts'
import type { DecisionFilter } from './decision-filters.tsx'
import { listOf } from './lists.ts'
import { asFailure } from './load.tsx'
import { auditRowShape } from './shapes.ts'

/** Seconds between two looks. */
const EVERY = 2
/** A row may be written this much later than a row with a later id: so much is read again, in milliseconds. */
const OVERLAP = 10_000
const NIL = '00000000-0000-0000-0000-000000000000'
/** Rows a page, and rows that stay while new ones come. */
const PAGE = 200
const KEPT = 500

type Rows = { readonly rows: readonly AuditRowView[]; readonly more: boolean }
type Shown = Partial<Rows> & { readonly key: string; readonly failed?: RequestFailed }
export type Decisions = Omit<Shown, 'key'> & {
  /** Reads the page before the oldest row shown. */
  readonly older: () => void
}

/** Rows of the audit trail as they come, newest first, those of `filter`; none come by themselves while `paused`. */
export function useDecisions(filter: DecisionFilter, paused: boolean): Decisions {
  const key = JSON.stringify(filter)
  const [state, setState] = useState<Shown>({ key })
  const latest = useRef(state)
  function show(next: Shown): void {
    latest.current = next
    setState(next)
  }
  // `key` stands for the filter by its content.
  useEffect(() => {
    if (latest.current.key !== key) show({ key })
    if (paused && latest.current.rows) return
    const asked = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    async function look(): Promise<void> {
      let pause: number = EVERY
      try {
        const rows = await follow(filter, latest.current, asked.signal)
        if (asked.signal.aborted) return
        show({ key, ...rows })
      } catch (error) {
        if (asked.signal.aborted) return
        const failed = asFailure(error)
        pause = Math.max(EVERY, failed.retry_after)
        show({ ...latest.current, failed })
      }
      if (!paused || !latest.current.rows) timer = setTimeout(look, pause * 1000)
    }
    look()
    return () => {
      clearTimeout(timer)
      asked.abort()
    }
  }, [key, paused])
  function older(): void {
    const before = latest.current.rows?.at(-1)?.id
    // Meanwhile another filter may be asked for, or another page be there.
    const stands = () => latest.current.key === key && latest.current.rows?.at(-1)?.id === before
    page(filter, before).then(
      ({ rows, more }) => stands() && show({ key, rows: [...(latest.current.rows ?? []), ...rows], more }),
      error => stands() && show({ ...latest.current, failed: asFailure(error) }),
    )
  }
  return { ...(state.key === key && state), older }
}

/** One page, newest first, from the row before `before` or from the newest. */
async function page(filter: DecisionFilter, before?: string, signal?: AbortSignal): Promise<Rows> {
  const asked = query({ ...filter, before, limit: String(PAGE) })
  const { items, next_cursor } = await get(`/admin/v1/audit${asked}`, listOf(auditRowShape), signal)
  return { rows: items, more: next_cursor !== null }
}

/** The rows shown with those that came since, each once. */
async function follow(filter: DecisionFilter, { rows: shown = [], more = false }: Shown, signal: AbortSignal) {
  const [newest] = shown
  if (!newest) return await page(filter, undefined, signal)
  const since = new Date(Date.parse(newest.at) - OVERLAP).toISOString()
  const byId = new Map(shown.map(row => [row.id, row]))
  let after = NIL
  let read: number
  do {
    const asked = query({ ...filter, since, after, limit: String(PAGE) })
    const { items } = await get(`/admin/v1/audit${asked}`, listOf(auditRowShape), signal)
    for (const row of items) byId.set(row.id, row)
    after = items.at(-1)?.id ?? after
    read = items.length
  } while (read === PAGE)
  const rows = [...byId.values()].sort((one, other) => (one.id < other.id ? 1 : -1))
  return { rows: rows.slice(0, KEPT), more: more || rows.length > KEPT }
}
