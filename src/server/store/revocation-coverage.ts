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

/** How many live tokens a revocation matches; `at_least` where there may be more. Bounded, because it holds the gate. */
export async function countLiveTokens(
  tx: Context,
  covered: Coverage,
  now: Date,
): Promise<{ count: number; at_least: boolean }> {
  const { holder } = covered
  const { looked, matched } = await (holder ? countOfHolder(tx, covered, now, holder) : countOfAll(tx, covered, now))
  return { count: Math.min(matched, COUNT_MAX), at_least: matched > COUNT_MAX || looked === LOOK_MAX }
}

type Counted = { readonly looked: number; readonly matched: number }

/** Indexes token_by_client, token_by_workflow, token_by_execution. */
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
