import { createHash } from 'node:crypto'
import { canonicalJson } from '../../protocol/jcs.ts'
import type { Context } from '../context.ts'

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

/** Appends one row in the caller's transaction. `leaf_hash` = SHA-256(0x00 || JCS(row)): a later edit shows. */
export async function insertAuditRow(tx: Context, row: AuditRow): Promise<void> {
  const id = tx.timeId()
  const at = tx.now()
  const leaf = canonicalJson({ id, at: at.toISOString(), ...row })
  const leaf_hash = createHash('sha256').update('\0').update(leaf, 'utf8').digest()
  await tx.db
    .insertInto('audit_event')
    .values({ id, at, ...row, details: JSON.stringify(row.details), leaf_hash, seal_seq: null })
    .execute()
}

export type AuditFilter = {
  readonly client_id?: string
  readonly after?: string
  readonly limit: number
}

/**
 * The newest rows first, or with `after` the rows that follow an id, oldest first: ids sort by time (primary key; of one
 * client index audit_event_by_client).
 */
export async function listAuditRows(ctx: Context, filter: AuditFilter) {
  let query = ctx.db
    .selectFrom('audit_event')
    .select([
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
    ])
    .limit(filter.limit)
  if (filter.client_id !== undefined) query = query.where('client_id', '=', filter.client_id)
  if (filter.after !== undefined) return await query.where('id', '>', filter.after).orderBy('id', 'asc').execute()
  return await query.orderBy('id', 'desc').execute()
}
