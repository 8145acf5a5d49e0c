import { useEffect, useRef, useState } from 'preact/hooks'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { get, query, type RequestFailed } from './api.ts'
import { listOf } from './lists.ts'
import { asFailure } from './load.tsx'
import { auditRowShape } from './shapes.ts'

export type AuditFilter = {
  readonly client_id?: string
  readonly agent_id?: string
  readonly outcome?: string
  readonly reason?: string
}

/** Seconds between two looks. */
const EVERY = 2
/** A row may be written this much later than a row with a later id: so much is read again, in milliseconds. */
const OVERLAP = 10_000
const NIL = '00000000-0000-0000-0000-000000000000'
/** Rows a page, and rows that stay on it. */
const PAGE = 200
const KEPT = 500

export type Decisions = { readonly rows?: readonly AuditRowView[]; readonly failed?: RequestFailed }

/** Rows of the audit trail as they come, newest first, those of `filter`; none come while `paused`. */
export function useDecisions(filter: AuditFilter, paused: boolean): Decisions {
  const key = JSON.stringify(filter)
  const [state, setState] = useState<Decisions & { key: string }>({ key })
  const shown = useRef<readonly AuditRowView[]>([])
  // `key` stands for the filter by its content.
  useEffect(() => {
    shown.current = []
  }, [key])
  useEffect(() => {
    if (paused) return
    const asked = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    async function look(): Promise<void> {
      let pause: number = EVERY
      try {
        shown.current = await follow(filter, shown.current, asked.signal)
        if (!asked.signal.aborted) setState({ key, rows: shown.current })
      } catch (error) {
        if (asked.signal.aborted) return
        const failed = asFailure(error)
        pause = Math.max(EVERY, failed.retry_after)
        setState({ key, rows: shown.current, failed })
      }
      if (!asked.signal.aborted) timer = setTimeout(look, pause * 1000)
    }
    look()
    return () => {
      clearTimeout(timer)
      asked.abort()
    }
  }, [key, paused])
  return state.key === key ? state : {}
}

/** The rows shown with those that came since, each once. */
async function follow(
  filter: AuditFilter,
  shown: readonly AuditRowView[],
  signal: AbortSignal,
): Promise<readonly AuditRowView[]> {
  const [newest] = shown
  if (!newest) {
    const asked = query({ ...filter, limit: String(PAGE) })
    return (await get(`/admin/v1/audit${asked}`, listOf(auditRowShape), signal)).items
  }
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
  return [...byId.values()].sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, KEPT)
}
