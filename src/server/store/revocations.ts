import { type Selectable, sql } from 'kysely'
import { EXECUTION_LIFETIME_MAX, REVOCATION_MARGIN, TOKEN_LIFETIME_HARD_LIMIT } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { RevocationKind, RevocationTable } from './schema.ts'
import type { TokenRow } from './tokens.ts'

/** What an entry names: `token` a jti, `agent` client_id/agent_id, … (protocol.md section 9). */
export type RevocationRef = { readonly kind: RevocationKind; readonly id: string }

/** Everything by which an entry can match a token that is, or is about to be, recorded. */
export function revocationRefs(
  token: Omit<TokenRow, 'resource' | 'expires_at' | 'token_type' | 'delegation_id' | 'revoked_at' | 'issued_at'>,
): readonly RevocationRef[] {
  const initiator = token.initiated_by ?? (token.agent_id === null ? token.sub : null)
  const refs: RevocationRef[] = [
    { kind: 'token', id: token.jti },
    { kind: 'client', id: token.client_id },
    { kind: 'key', id: token.kid },
  ]
  if (token.jkt !== null) refs.push({ kind: 'key', id: token.jkt })
  if (token.agent_id !== null) refs.push({ kind: 'agent', id: `${token.client_id}/${token.agent_id}` })
  if (token.registration_id !== null) refs.push({ kind: 'registration', id: token.registration_id })
  if (token.execution_id !== null) refs.push({ kind: 'execution', id: token.execution_id })
  if (initiator !== null) refs.push({ kind: 'initiator', id: initiator })
  return refs
}

/** Whether an entry stands that matches one of these. `now` on our clock. */
export async function standingRevocation(ctx: Context, refs: readonly RevocationRef[], now: Date): Promise<boolean> {
  return (await findStandingRevocation(ctx, refs, now)) !== undefined
}

/** The oldest entry that stands and matches one of these (index revocation_standing). `now` on our clock. */
export async function findStandingRevocation(
  ctx: Context,
  refs: readonly RevocationRef[],
  now: Date,
): Promise<RevocationRef | undefined> {
  return await ctx.db
    .selectFrom('revocation')
    .select(['kind', 'id'])
    .where(eb => eb.or(refs.map(ref => eb.and([eb('kind', '=', ref.kind), eb('id', '=', ref.id)]))))
    .where('lifted_at', 'is', null)
    .where('ends_at', '>', now)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst()
}

/** Of these ids those for which an entry of this kind stands (index revocation_standing). `now` on our clock. */
export async function revokedAmong(
  ctx: Context,
  kind: RevocationKind,
  ids: readonly string[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await ctx.db
    .selectFrom('revocation')
    .select('id')
    .distinct()
    .where('kind', '=', kind)
    .where('id', 'in', ids)
    .where('lifted_at', 'is', null)
    .where('ends_at', '>', now)
    .orderBy('id')
    .limit(ids.length)
    .execute()
  return new Set(rows.map(row => row.id))
}

/**
 * When each of these was last revoked, by entries that stand or ended, as long as those are kept: a day past their end;
 * never by one that was lifted (index revocation_standing).
 */
export async function latestRevocations(
  ctx: Context,
  kind: RevocationKind,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Date>> {
  if (ids.length === 0) return new Map()
  const rows = await ctx.db
    .selectFrom('revocation')
    .select(eb => ['id', eb.fn.max('revoked_at').as('revoked_at')])
    .where('kind', '=', kind)
    .where('id', 'in', ids)
    .where('lifted_at', 'is', null)
    .groupBy('id')
    .orderBy('id')
    .limit(ids.length)
    .execute()
  return new Map(rows.map(row => [row.id, row.revoked_at]))
}

/** The newest entry of all; under the exclusive gate whatever comes after it is of the act that asked (primary key). */
export async function lastEntry(tx: Context): Promise<string> {
  const row = await tx.db.selectFrom('revocation').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
  return String(row?.seq ?? 0)
}

/** When an entry of an act at `now` ends: after every token that it can match. */
export function entryEnd(now: Date): Date {
  return new Date(now.getTime() + (TOKEN_LIFETIME_HARD_LIMIT + REVOCATION_MARGIN) * 1000)
}

/** What one statement writes: far below what a statement may take. */
const PIECE = 5_000

/** Who ends something, why and when. */
export type RevocationAct = { readonly reason: string; readonly revoked_by: string; readonly now: Date }

/** Writes entries; only under the exclusive gate. They outlive every token that they match, unless `ends_at` is later. */
export async function insertRevocations(
  tx: Context,
  entries: readonly RevocationRef[],
  act: RevocationAct & { readonly ends_at?: Date },
): Promise<void> {
  const { reason, revoked_by, now, ends_at = entryEnd(now) } = act
  for (let at = 0; at < entries.length; at += PIECE) {
    const piece = entries.slice(at, at + PIECE)
    // Arrays, because a statement takes no more than 65,535 parameters.
    await sql`
      insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
      select entry.kind, entry.id, ${reason}, ${revoked_by}, ${now}::timestamptz, ${ends_at}::timestamptz
        from unnest(${piece.map(entry => entry.kind)}::text[], ${piece.map(entry => entry.id)}::text[])
          as entry(kind, id)`.execute(tx.db)
  }
}

/** Takes back the one entry that this act wrote, and no other that matches the same (index revocation_standing). */
export async function liftRevocation(
  tx: Context,
  entry: RevocationRef & { readonly revoked_by: string; readonly revoked_at: Date },
  now: Date,
): Promise<void> {
  await tx.db
    .updateTable('revocation')
    .set({ lifted_at: now })
    .where('kind', '=', entry.kind)
    .where('id', '=', entry.id)
    .where('revoked_by', '=', entry.revoked_by)
    .where('revoked_at', '=', entry.revoked_at)
    .where('lifted_at', 'is', null)
    .execute()
}

export type RevocationRow = Selectable<RevocationTable>

/** Entries of one kind or of any, the newest first, those written before `before` (primary key). */
export async function listRevocations(
  ctx: Context,
  { kind, before, limit }: { kind?: RevocationKind; before?: string; limit: number },
): Promise<readonly RevocationRow[]> {
  let query = ctx.db
    .selectFrom('revocation')
    .select(['seq', 'kind', 'id', 'reason', 'revoked_by', 'revoked_at', 'ends_at', 'lifted_at'])
    .orderBy('seq', 'desc')
    .limit(limit)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (before !== undefined) query = query.where('seq', '<', before)
  return await query.execute()
}

/**
 * Removes entries that ended long ago; what is final stands in the state of its row (index revocation_by_end). Until
 * then they refuse subject tokens from before them, whose `max_age` is a day at most, and published keys of issuers.
 */
export async function purgeRevocations(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - EXECUTION_LIFETIME_MAX * 1000)
  const ended = ctx.db
    .selectFrom('revocation')
    .select('seq')
    .where('ends_at', '<', before)
    .orderBy('ends_at')
    .limit(5000)
  await ctx.db.deleteFrom('revocation').where('seq', 'in', ended).execute()
}
