import { sql } from 'kysely'
import { EXECUTION_LIFETIME_MAX, REVOCATION_MARGIN, TOKEN_LIFETIME_HARD_LIMIT } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { RevocationKind } from './schema.ts'
import type { TokenRow } from './tokens.ts'

/** What an entry names: `token` a jti, `agent` client_id/agent_id, … (protocol.md section 9). */
export type RevocationRef = { readonly kind: RevocationKind; readonly id: string }

/** Everything by which an entry can match a token that is, or is about to be, recorded. */
export function revocationRefs(
  token: Omit<TokenRow, 'resource' | 'expires_at' | 'token_type'>,
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

/** Whether an entry stands that matches one of these (index revocation_standing). `now` on our clock. */
export async function standingRevocation(ctx: Context, refs: readonly RevocationRef[], now: Date): Promise<boolean> {
  const found = await ctx.db
    .selectFrom('revocation')
    .select('seq')
    .where(eb => eb.or(refs.map(ref => eb.and([eb('kind', '=', ref.kind), eb('id', '=', ref.id)]))))
    .where('lifted_at', 'is', null)
    .where('ends_at', '>', now)
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}

/** Writes entries; only under the exclusive gate. They outlive every token that they match. */
export async function insertRevocations(
  tx: Context,
  entries: readonly RevocationRef[],
  act: { reason: string; revoked_by: string; now: Date },
): Promise<void> {
  if (entries.length === 0) return
  const ends_at = new Date(act.now.getTime() + (TOKEN_LIFETIME_HARD_LIMIT + REVOCATION_MARGIN) * 1000)
  // Arrays, because a statement takes no more than 65,535 parameters.
  await sql`
    insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
    select entry.kind, entry.id, ${act.reason}, ${act.revoked_by}, ${act.now}::timestamptz, ${ends_at}::timestamptz
      from unnest(${entries.map(entry => entry.kind)}::text[], ${entries.map(entry => entry.id)}::text[])
        as entry(kind, id)`.execute(tx.db)
}

/** Which tokens an entry matches by equality, as a condition on their record. */
const MATCHES = {
  token: 'token.jti',
  registration: 'token.registration_id',
  client: 'token.client_id',
} as const

/**
 * The `jti`s of live tokens delegated, at any depth, from tokens that the entry matches, and not matched themselves.
 * Only under the exclusive gate, so that none is minted meanwhile. It begins at tokens that were delegated (index
 * token_by_parent): a client that minted millions must not become too slow to revoke.
 */
export async function liveDescendants(tx: Context, entry: RevocationRef, now: Date): Promise<readonly string[]> {
  // A parent may have expired while what was delegated from it lives, at most as long as an execution.
  const longAgo = new Date(now.getTime() - EXECUTION_LIFETIME_MAX * 1000)
  const { rows } = await sql<{ jti: string }>`
    with recursive covered(jti, depth) as (
      select child.jti, 1 from token child join token on token.jti = child.parent_jti
        where child.parent_jti is not null and token.expires_at > ${longAgo} and ${matchesToken(entry)}
      union
      select child.jti, covered.depth + 1 from token child join covered on child.parent_jti = covered.jti
        where covered.depth < 8
    )
    select covered.jti from covered join token on token.jti = covered.jti
      where token.expires_at > ${now} and not (${matchesToken(entry)})
      order by covered.jti limit 100000`.execute(tx.db)
  return rows.map(row => row.jti)
}

function matchesToken(entry: RevocationRef) {
  if (entry.kind === 'agent') {
    const [client_id = '', agent_id = ''] = entry.id.split('/')
    return sql`token.client_id = ${client_id} and token.agent_id = ${agent_id}`
  }
  if (entry.kind === 'token' || entry.kind === 'registration' || entry.kind === 'client') {
    return sql`${sql.ref(MATCHES[entry.kind])} = ${entry.id}`
  }
  throw new Error(`no revocation of kind ${entry.kind} yet`)
}

/** Removes entries that ended long ago; what is final stands in the state of its row (index revocation_by_end). */
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
