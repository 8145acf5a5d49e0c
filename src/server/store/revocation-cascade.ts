import { sql } from 'kysely'
import type { Context } from '../context.ts'
import { endExecutions } from './execution-ends.ts'
import type { Coverage, TokenHolder } from './revocation-coverage.ts'
import { type EndedDelegations, endDelegations } from './revocation-delegations.ts'
import { insertRevocations, type RevocationAct, type RevocationRef } from './revocations.ts'

/** What a revocation ended besides what it names: how many. */
export type Cascade = EndedDelegations & { readonly executions: number }

/**
 * Everything that a revocation of this kind ends for good besides its own entries: open executions, delegations and what
 * was delegated. Only under the exclusive gate. A suspension, which can be taken back, calls `endDelegations` alone.
 */
export async function endWhatDescends(tx: Context, covered: Coverage, act: RevocationAct): Promise<Cascade> {
  const executions = await endExecutionsOf(tx, covered, act)
  if (covered.kind === 'token') await endTokensForGood(tx, covered.ids, act.now)
  const ended = await endDelegations(tx, { ...covered, executions }, act, { for_good: true })
  return { ...ended, executions: executions.length }
}

/** Writes an entry and ends for good all that descends from what it matches; only under the exclusive gate. */
export async function revokeWithDescendants(
  tx: Context,
  { holder, ...entry }: RevocationRef & { readonly holder?: TokenHolder },
  act: RevocationAct,
): Promise<Cascade> {
  await insertRevocations(tx, [entry], act)
  return await endWhatDescends(tx, { kind: entry.kind, ids: [entry.id], holder }, act)
}

/** Those of a client are matched by its own entry; the others get entries, by which a workflow is sent. */
async function endExecutionsOf(
  tx: Context,
  { kind, ids: [id = ''] }: Coverage,
  act: RevocationAct,
): Promise<readonly string[]> {
  const how = { status: 'revoked', now: act.now } as const
  if (kind === 'client') return await endExecutions(tx, { client_id: id }, how)
  if (kind !== 'workflow' && kind !== 'initiator') return []
  const [client_id = '', workflow_id = ''] = id.split('/')
  const of = kind === 'workflow' ? { client_id, workflow_id } : { initiated_by: id }
  const executions = await endExecutions(tx, of, how)
  await insertRevocations(
    tx,
    executions.map(execution_id => ({ kind: 'execution' as const, id: execution_id })),
    act,
  )
  return executions
}

/** Its entry ends before what was delegated from it does (primary key). */
async function endTokensForGood(tx: Context, jtis: readonly string[], now: Date): Promise<void> {
  await tx.db
    .updateTable('token')
    .set({ revoked_at: now })
    .where(sql<boolean>`jti = any(${[...jtis]}::text[])`)
    .where('revoked_at', 'is', null)
    .execute()
}
