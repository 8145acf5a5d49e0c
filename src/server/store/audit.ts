import { type Selectable, sql } from 'kysely'
import { auditLeafHash } from '../../protocol/audit-leaf.ts'
import { firstTimeIdAt, timeOfId } from '../../protocol/time-id.ts'
import type { Context } from '../context.ts'
import type { AuditEventTable } from './schema-operation.ts'
import { atCommit } from './together.ts'

/** A row of the audit trail without its derived members. Values are ids and codes: never a token, secret or prompt. */
export type AuditRow = {
  readonly action: string
  readonly outcome: 'success' | 'refused'
  readonly reason: string | null
  readonly actor: string
  readonly client_id: string | null
  readonly agent_id: string | null
  readonly execution_id: string | null
  readonly jti: string | null
  readonly request_id: string
  readonly address: string | null
  readonly details: Readonly<Record<string, unknown>>
}

/** What a row needs of the context: a restore writes one where there is no server yet. */
export type AuditWriter = Pick<Context, 'db' | 'now' | 'timeId' | 'meeting'>

/** Appends one row in the caller's transaction, with the hash by which a later edit shows. */
export async function insertAuditRow(tx: AuditWriter, row: AuditRow): Promise<void> {
  // One reading of the clock: what is found by its id must be found by its time.
  const at = tx.now()
  const id = tx.timeId(at)
  const leaf_hash = auditLeafHash({ id, at: at.toISOString(), ...row, details: { ...row.details } })
  await append(tx, { id, at, ...row, details: JSON.stringify(row.details), leaf_hash: leaf_hash.toString('hex') })
}

const APPEND = 90

const append = atCommit(APPEND, (rows: readonly (Omit<AuditRow, 'details'> & Derived)[]) => {
  return sql`
    insert into audit_event (id, at, action, outcome, reason, actor, client_id, agent_id, execution_id, jti, request_id,
        address, details, leaf_hash)
      select id, at, action, outcome, reason, actor, client_id, agent_id, execution_id, jti, request_id,
          address, details::jsonb, decode(leaf_hash, 'hex')
        from json_to_recordset(${JSON.stringify(rows)}::json) as row(id uuid, at timestamptz, action text, outcome text,
          reason text, actor text, client_id text, agent_id text, execution_id text, jti text, request_id text,
          address text, details text, leaf_hash text)`
})

type Derived = { readonly id: string; readonly at: Date; readonly details: string; readonly leaf_hash: string }

const COLUMNS = [
  'id',
  'at',
  'action',
  'outcome',
  'reason',
  'actor',
  'client_id',
  'agent_id',
  'execution_id',
  'jti',
  'request_id',
  'address',
  'details',
  'leaf_hash',
] as const

export type StoredAuditRow = Pick<Selectable<AuditEventTable>, (typeof COLUMNS)[number]>

/** What a row must equal. */
export const AUDIT_FILTERS = [
  /** Index audit_event_by_client; with agent_id index audit_event_by_agent. */
  'client_id',
  'agent_id',
  /** Index audit_event_by_execution. */
  'execution_id',
  /** Index audit_event_by_jti. */
  'jti',
  /** Index audit_event_by_reason. */
  'reason',
  /** No index of their own: they narrow what the others or the time found (primary key). */
  'actor',
  'action',
  'outcome',
] as const

export type AuditFilter = { readonly [name in (typeof AUDIT_FILTERS)[number]]?: string | undefined } & {
  /** A request id is of version 7 too: its rows lie within a minute after it (primary key). */
  readonly request_id?: string | undefined
  /** From this instant on, and up to but not with the other: ranges of ids (every index ends in the id). */
  readonly since?: Date | undefined
  readonly until?: Date | undefined
}

/** Oldest first from the row after an id, or newest first from the row before one. */
export type AuditPage =
  | { readonly order: 'asc'; readonly after?: string; readonly limit: number }
  | { readonly order: 'desc'; readonly before?: string; readonly limit: number }

/** No request and no transaction lives longer, so that its rows have ids of this many milliseconds after its own. */
const REQUEST_LIFETIME = 60_000

/** Rows of the trail by filter and time; ids sort by time. The index of each filter stands beside its name above. */
export async function listAuditRows(ctx: Context, filter: AuditFilter, page: AuditPage): Promise<StoredAuditRow[]> {
  let query = ctx.db.selectFrom('audit_event').select(COLUMNS).orderBy('id', page.order).limit(page.limit)
  for (const name of AUDIT_FILTERS) {
    const value = filter[name]
    if (value !== undefined) query = query.where(name, '=', value)
  }
  if (filter.since) query = query.where('id', '>=', firstTimeIdAt(filter.since))
  if (filter.until) query = query.where('id', '<', firstTimeIdAt(filter.until))
  if (filter.request_id !== undefined) {
    const asked = timeOfId(filter.request_id) ?? new Date(0)
    query = query
      .where('request_id', '=', filter.request_id)
      .where('id', '>=', firstTimeIdAt(asked))
      .where('id', '<', firstTimeIdAt(new Date(asked.getTime() + REQUEST_LIFETIME)))
  }
  if (page.order === 'asc' && page.after !== undefined) query = query.where('id', '>', page.after)
  if (page.order === 'desc' && page.before !== undefined) query = query.where('id', '<', page.before)
  return await query.execute()
}

/** One row (index: primary key). */
export async function findAuditRow(ctx: Context, id: string): Promise<StoredAuditRow | undefined> {
  return await ctx.db.selectFrom('audit_event').select(COLUMNS).where('id', '=', id).executeTakeFirst()
}
