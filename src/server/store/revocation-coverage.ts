import { sql } from 'kysely'
import type { Context } from '../context.ts'
import type { RevocationKind } from './schema.ts'

/** Whose the tokens can only be, where that is known: indexes by client then find them. */
export type TokenHolder = { readonly client_id: string; readonly agent_id?: string }

/** What a revocation matches by equality: several ids where it covers several keys, or a workflow, never sent itself. */
export type Coverage = {
  readonly kind: RevocationKind | 'workflow'
  readonly ids: readonly string[]
  readonly holder?: TokenHolder | undefined
}

/** Counting goes no further, and where no index leads to the tokens, no more of them are looked at. */
const COUNT_MAX = 10_000
const LOOK_MAX = 100_000
const STANDING_MAX = 20_000

/** What an act counts: tokens that lived until now, whatever it has written itself. */
export type CountedAt = { readonly now: Date; readonly last_entry: string }

/**
 * How many tokens a revocation stops: those that it matches and that live, not those that are dead already by a mark or
 * an entry up to `last_entry`; `at_least` where there may be more. Bounded, because it holds the gate.
 */
export async function countLiveTokens(
  tx: Context,
  covered: Coverage,
  { now, last_entry }: CountedAt,
): Promise<{ count: number; at_least: boolean }> {
  const { holder } = covered
  const matching = holder ? ofHolder(covered, now, holder) : ofAll(covered, now)
  const { rows } = await sql<{ matched: number; living: number }>`
    with standing as materialized (${standingRefs(now, last_entry)})
    select count(*)::int as matched, (count(*) filter (where ${lives}))::int as living
      from (${matching}) as token`.execute(tx.db)
  const { matched, living } = rows[0] ?? { matched: 0, living: 0 }
  const isOverlooked = !holder && (await looked(tx, now)) === LOOK_MAX
  return { count: Math.min(living, COUNT_MAX), at_least: matched > COUNT_MAX || isOverlooked }
}

/** Indexes token_by_client, token_by_workflow, token_by_execution. */
function ofHolder(covered: Coverage, now: Date, holder: TokenHolder) {
  const { client_id, agent_id = null } = holder
  return sql`select token.* from token
    where client_id = ${client_id} and (${agent_id}::text is null or agent_id = ${agent_id})
      and expires_at > ${now} and (${matchesToken(covered)}) limit ${COUNT_MAX + 1}`
}

/** Of the live tokens that last longest (index token_by_expiry). */
function ofAll(covered: Coverage, now: Date) {
  return sql`select token.* from (
      select * from token where expires_at > ${now} order by expires_at desc limit ${LOOK_MAX}
    ) as token where ${matchesToken(covered)} limit ${COUNT_MAX + 1}`
}

/** How many live tokens are looked at where no index leads to them (index token_by_expiry). */
async function looked(tx: Context, now: Date): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from (select 1 from token where expires_at > ${now} limit ${LOOK_MAX}) as seen`.execute(
    tx.db,
  )
  return rows[0]?.n ?? 0
}

/**
 * Entries that stand, as one text each (index revocation_by_end). So many at most that they are always hashed, once a
 * statement: what is compared with each of them would take tokens times entries, and never end. Of more, the count may
 * be too high.
 */
function standingRefs(now: Date, last_entry: string) {
  return sql`select kind || '|' || id as ref from revocation
    where lifted_at is null and ends_at > ${now} and seq <= ${last_entry}::bigint
    order by ends_at desc limit ${STANDING_MAX}`
}

/** Whether nothing has ended a row of `token`: by everything that an entry can name of it. */
const lives = sql<boolean>`token.revoked_at is null and not (${sql.join(
  [
    sql`'token|' || token.jti`,
    sql`'client|' || token.client_id`,
    sql`'key|' || token.kid`,
    sql`'key|' || token.jkt`,
    sql`'agent|' || token.client_id || '/' || token.agent_id`,
    sql`'registration|' || token.registration_id`,
    sql`'execution|' || token.execution_id`,
    sql`'initiator|' || coalesce(token.initiated_by, case when token.agent_id is null then token.sub end)`,
  ].map(ref => sql`coalesce(${ref} in (select ref from standing), false)`),
  sql` or `,
)})`

/** The condition on a row of `token` by which it is matched; null where it has nothing to compare. */
export function matchesToken({ kind, ids }: Coverage) {
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
