import { Problem } from '../../protocol/problem.ts'
import type {
  EntryKind,
  RevocableKind,
  RevocationAnswer,
  RevocationRequest,
  RevocationView,
} from '../../protocol/revocation.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { endWhatDescends } from '../store/revocation-cascade.ts'
import { countLiveTokens } from '../store/revocation-coverage.ts'
import { entryEnd, insertRevocations, lastEntry, listRevocations, type RevocationAct } from '../store/revocations.ts'
import { revokeTokensOfWorkflow } from '../store/workflow-tokens.ts'
import type { Outcome } from './act.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { revokeKey } from './key-revocation.ts'
import {
  type Covered,
  coverAgent,
  coverClient,
  coverExecution,
  coverInitiator,
  coverRegistration,
  coverToken,
  coverWorkflow,
} from './revocation-subjects.ts'

/**
 * Revokes by any kind of protocol.md section 9, and all that descends from what it matches: open executions,
 * delegations, live tokens; inside `act` with the exclusive gate as its `before`. Once it has answered, nothing it covers
 * is minted anywhere. Throws Problem `not_found`, `invalid_request`, `conflict`, `forbidden`.
 */
export async function createRevocation(
  tx: Context,
  caller: Caller,
  { kind, id, reason }: RevocationRequest,
): Promise<Outcome<RevocationAnswer>> {
  const now = tx.now()
  const last_entry = await lastEntry(tx)
  const covered = await cover(tx, caller, kind, id, now)
  if (!covered) throw new Problem('not_found', 'There is nothing of this kind and id.')
  const { ids, final, note, subject, details, ends_at = entryEnd(now) } = covered
  const act = { reason, revoked_by: caller.sub, now }
  if (kind !== 'workflow') {
    await insertRevocations(
      tx,
      ids.map(id => ({ kind, id })),
      { ...act, ends_at },
    )
  }
  const { count, at_least } = await countLiveTokens(tx, { kind, ids, holder: covered.holder }, { now, last_entry })
  const { executions, tokens, delegations } = await endWhatDescends(tx, { kind, ids, holder: covered.holder }, act)
  if (kind === 'workflow') await revokeRestOfWorkflow(tx, id, act)
  const revoked = { ...NOTHING, execution: executions, token: tokens + (kind === 'workflow' ? count : 0) }
  revoked[kind] += ids.length
  const body = {
    kind,
    id,
    revoked,
    delegations,
    live_tokens: count,
    live_tokens_at_least: at_least,
    revoked_at: now.toISOString(),
    ends_at: ends_at.toISOString(),
    final,
    ...(note !== undefined && { note }),
  }
  const audited = { kind, id, reason, revoked, delegations, live_tokens: count, ...details }
  return { status: 201, body, audit: { ...subject, details: audited } }
}

const NOTHING: Readonly<Record<RevocableKind, number>> = {
  token: 0,
  registration: 0,
  agent: 0,
  client: 0,
  execution: 0,
  workflow: 0,
  initiator: 0,
  key: 0,
}

/** Sets the state that outlives the entries. Undefined where there is no such thing. */
async function cover(
  tx: Context,
  caller: Caller,
  kind: RevocableKind,
  id: string,
  now: Date,
): Promise<Covered | undefined> {
  switch (kind) {
    case 'token':
      return await coverToken(tx, id)
    case 'registration':
      return await coverRegistration(tx, id)
    case 'agent':
      return await coverAgent(tx, id)
    case 'client':
      return await coverClient(tx, id)
    case 'execution':
      return await coverExecution(tx, id, now)
    case 'workflow':
      return await coverWorkflow(tx, id)
    case 'initiator':
      return coverInitiator(id)
    case 'key':
      return await revokeKey(tx, caller, id, now)
  }
}

/** A workflow is sent as its executions, which have their entries by now, and its other tokens. */
async function revokeRestOfWorkflow(tx: Context, id: string, act: RevocationAct): Promise<void> {
  const [client_id = '', workflow_id = ''] = id.split('/')
  await revokeTokensOfWorkflow(tx, { client_id, workflow_id }, act)
}

/** Every entry that was written, or each of one kind, the newest first, also those that ended or were taken back. */
export async function getRevocations(
  ctx: Context,
  page: { cursor?: string; limit: number; kind?: EntryKind },
): Promise<Page<RevocationView>> {
  const { cursorKey } = ctx.keys
  const filter = page.kind === undefined ? {} : { kind: page.kind }
  const list = `revocations ${page.kind ?? '*'}`
  const before = page.cursor === undefined ? {} : { before: decodeCursor(cursorKey, list, page.cursor) }
  const rows = await listRevocations(ctx, { ...filter, ...before, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, list, rows, page.limit, row => row.seq)
  const views = items.map(({ kind, id, reason, revoked_by, revoked_at, ends_at, lifted_at }) => ({
    kind,
    id,
    reason,
    revoked_by,
    at: revoked_at.toISOString(),
    ends_at: ends_at.toISOString(),
    lifted_at: lifted_at?.toISOString() ?? null,
  }))
  return { items: views, next_cursor }
}
