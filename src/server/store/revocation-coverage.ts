import { sql } from 'kysely'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { RevocationKind } from './schema.ts'

/** What a revocation matches by equality: several ids where it covers several keys, or a workflow, never sent itself. */
export type Coverage = { readonly kind: RevocationKind | 'workflow'; readonly ids: readonly string[] }

/**
 * The `jti`s of live tokens delegated, at any depth, from tokens that the revocation matches, and not matched
 * themselves. Only under the exclusive gate, so that none is minted meanwhile. It begins at tokens that were delegated
 * (index token_by_parent): a client that minted millions must not become too slow to revoke.
 */
export async function descendantsOf(tx: Context, covered: Coverage, now: Date): Promise<readonly string[]> {
  // A parent may have expired while what was delegated from it lives, at most as long as an execution.
  const longAgo = new Date(now.getTime() - EXECUTION_LIFETIME_MAX * 1000)
  const { rows } = await sql<{ jti: string }>`
    with recursive covered(jti, depth) as (
      select child.jti, 1 from token child join token on token.jti = child.parent_jti
        where child.parent_jti is not null and token.expires_at > ${longAgo} and ${matchesToken(covered)}
      union
      select child.jti, covered.depth + 1 from token child join covered on child.parent_jti = covered.jti
        where covered.depth < 8
    )
    select distinct covered.jti from covered join token on token.jti = covered.jti
      where token.expires_at > ${now} and (${matchesToken(covered)}) is not true
      order by covered.jti limit 100000`.execute(tx.db)
  return rows.map(row => row.jti)
}

/** Counting goes no further, and where no index leads to the tokens, no more of them are looked at. */
const COUNT_MAX = 10_000
const LOOK_MAX = 100_000

/** Whose the tokens can only be, where that is known: the index token_by_client then finds them. */
export type TokenHolder = { readonly client_id: string; readonly agent_id?: string }

/** How many live tokens a revocation matches; `at_least` where there may be more. Bounded, because it holds the gate. */
export async function countLiveTokens(
  tx: Context,
  covered: Coverage,
  now: Date,
  holder?: TokenHolder,
): Promise<{ count: number; at_least: boolean }> {
  const { looked, matched } = await (holder ? countOfHolder(tx, covered, now, holder) : countOfAll(tx, covered, now))
  return { count: Math.min(matched, COUNT_MAX), at_least: matched > COUNT_MAX || looked === LOOK_MAX }
}

type Counted = { readonly looked: number; readonly matched: number }

async function countOfHolder(tx: Context, covered: Coverage, now: Date, holder: TokenHolder): Promise<Counted> {
  const { client_id, agent_id = null } = holder
  const { rows } = await sql<Counted>`
    select 0 as looked, count(*)::int as matched from (
      select 1 from token
        where client_id = ${client_id} and (${agent_id}::text is null or agent_id = ${agent_id})
          and expires_at > ${now} and (${matchesToken(covered)}) limit ${COUNT_MAX + 1}
    ) as matching`.execute(tx.db)
  return rows[0] ?? { looked: 0, matched: 0 }
}

/** Looks at the live tokens that last longest (index token_by_expiry). */
async function countOfAll(tx: Context, covered: Coverage, now: Date): Promise<Counted> {
  const { rows } = await sql<Counted>`
    select count(*)::int as looked, (count(*) filter (where matches))::int as matched from (
      select (${matchesToken(covered)}) as matches from token
        where expires_at > ${now} order by expires_at desc limit ${LOOK_MAX}
    ) as seen`.execute(tx.db)
  return rows[0] ?? { looked: 0, matched: 0 }
}

/**
 * Writes an entry for each live token of a workflow, however many: its revocation is sent as these (protocol.md section
 * 9; index token_by_workflow). Only under the exclusive gate. @returns how many
 */
export async function revokeTokensOfWorkflow(
  tx: Context,
  { client_id, workflow_id }: { client_id: string; workflow_id: string },
  act: { reason: string; revoked_by: string; now: Date; ends_at: Date },
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with written as (
      insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
      select 'token', jti, ${act.reason}, ${act.revoked_by}, ${act.now}::timestamptz, ${act.ends_at}::timestamptz
        from token
        where client_id = ${client_id} and workflow_id = ${workflow_id} and expires_at > ${act.now}
      returning 1
    )
    select count(*)::int as count from written`.execute(tx.db)
  return rows[0]?.count ?? 0
}

/** The condition on a row of `token` by which it is matched; null where it has nothing to compare. */
function matchesToken({ kind, ids }: Coverage) {
  const id = ids[0] ?? ''
  const [client_id = '', name = ''] = id.split('/')
  switch (kind) {
    case 'token':
      return sql<boolean>`token.jti = ${id}`
    case 'registration':
      return sql<boolean>`token.registration_id = ${id}`
    case 'client':
      return sql<boolean>`token.client_id = ${id}`
    case 'execution':
      return sql<boolean>`token.execution_id = ${id}`
    case 'agent':
      return sql<boolean>`token.client_id = ${client_id} and token.agent_id = ${name}`
    case 'workflow':
      return sql<boolean>`token.client_id = ${client_id} and token.workflow_id = ${name}`
    case 'initiator':
      return sql<boolean>`coalesce(token.initiated_by, case when token.agent_id is null then token.sub end) = ${id}`
    case 'key':
      return sql<boolean>`token.kid = any(${[...ids]}::text[]) or coalesce(token.jkt = any(${[...ids]}::text[]), false)`
  }
}
