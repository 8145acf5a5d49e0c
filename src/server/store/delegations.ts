import { type Selectable, sql } from 'kysely'
import { type Delegation, MAX_HOPS } from '../../protocol/delegation.ts'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { RevocationRef } from './revocations.ts'
import type { TokenTable } from './schema-token.ts'
import { together } from './together.ts'

/** A token from which was delegated, and the delegation under which it was itself minted: null for a root. */
export type TokenAbove = Pick<
  Selectable<TokenTable>,
  | 'jti'
  | 'client_id'
  | 'agent_id'
  | 'registration_id'
  | 'sub'
  | 'initiated_by'
  | 'kid'
  | 'jkt'
  | 'resource'
  | 'scope'
  | 'workflow_id'
  | 'workflow_step'
  | 'execution_id'
  | 'parent_jti'
  | 'delegation_id'
  | 'step_entry'
  | 'issued_at'
  | 'expires_at'
> & {
  readonly assertion: string | null
  readonly delegated_step: string | null
  readonly delegated_scope: string | null
  readonly delegated_resource: string | null
  readonly delegation_expires_at: Date | null
  readonly execution_expires_at: Date | null
}

const TOKEN_COLUMNS = sql`token.jti, token.client_id, token.agent_id, token.registration_id, token.sub,
  token.initiated_by, token.kid, token.jkt, token.resource, token.scope, token.workflow_id, token.workflow_step,
  token.execution_id, token.parent_jti, token.delegation_id, token.step_entry, token.issued_at, token.expires_at`

/** So many tokens stand above the last hop that may be; one more tells a chain that is too long. */
const MOST_ABOVE = MAX_HOPS + 1

const READ = 1

/**
 * A token and those from which it was delegated, itself first and the root last, as far as one hop past the longest
 * chain (primary keys). What they rest on is `standingAbove`: one statement of all joins takes longer to plan.
 */
export const tokensAbove = together(READ, async (ctx: Context, jtis: readonly string[]) => {
  const { rows } = await sql<TokenAbove & { asked_jti: string; height: number }>`
    with recursive above as (
      select ${TOKEN_COLUMNS}, token.jti as asked_jti, 0 as height
        from token where jti = any(${[...new Set(jtis)]}::text[])
      union all
      select ${TOKEN_COLUMNS}, above.asked_jti, above.height + 1
        from above join token on token.jti = above.parent_jti where above.height < ${MOST_ABOVE - 1}
    )
    select above.*, delegation.assertion, delegation.workflow_step as delegated_step,
        delegation.scope as delegated_scope, delegation.resource as delegated_resource,
        delegation.expires_at as delegation_expires_at,
        (select expires_at from execution where execution_id = above.execution_id) as execution_expires_at
      from above left join delegation on delegation.delegation_id = above.delegation_id
      order by above.asked_jti, above.height limit ${MOST_ABOVE * jtis.length}`.execute(ctx.db)
  return jtis.map((jti): readonly TokenAbove[] => {
    return rows.filter(row => row.asked_jti === jti).map(({ asked_jti: _asked, height: _height, ...token }) => token)
  })
})

/** What a presentation rests on now: of what stands above, how many there are, and in what state. */
export type StandingAbove = {
  /** Recorded, and revoked. */
  readonly tokens: readonly [number, number]
  readonly revoked_delegations: number
  readonly revoked_versions: number
  readonly revoked_executions: number
  /** Suspended, and revoked. */
  readonly agents: readonly [number, number]
  /** Registered for its agent and not removed, and revoked. */
  readonly keys: readonly [number, number]
  /** The latest end of the entries, not lifted, that match one of the tokens; it may have passed. */
  readonly entry_ends_at: Date | null
  /** What the delegator presented before under this `jti`. */
  readonly presented_id: string | null
  readonly presented_revoked_at: Date | null
}

export type Presentation = {
  readonly above: readonly TokenAbove[]
  /** Everything by which an entry could match one of them. */
  readonly refs: readonly RevocationRef[]
  readonly claims: Pick<Delegation, 'iss' | 'jti' | 'digest' | 'iat' | 'parent_jti'>
}

/** As it is mostly found: everything stands, and the assertion was not shown before. */
export function nothingLapsed({ above }: Presentation): StandingAbove {
  return {
    tokens: [above.length, 0],
    ...{ revoked_delegations: 0, revoked_versions: 0, revoked_executions: 0 },
    agents: [0, 0],
    keys: [above.length, 0],
    ...{ entry_ends_at: null, presented_id: null, presented_revoked_at: null },
  }
}

/** In a mint's write it is asked for at once with what else the mint rests on (standing.ts, replay.ts). */
const ABOVE = 10

/** One statement, because each mint asks (primary keys, index revocation_standing, unique (delegator, jti)). */
export const standingAbove = together(ABOVE, async (ctx: Context, presentations: readonly Presentation[]) => {
  const { rows } = await sql<StandingAbove>`
    select
      (select array[count(*), count(revoked_at)]::int[] from token where jti = any(asked.jtis)) as tokens,
      (select count(revoked_at)::int from delegation where delegation_id = any(asked.delegation_ids))
        as revoked_delegations,
      (select count(*)::int from registration
        where registration_id = any(asked.registration_ids) and status = 'revoked') as revoked_versions,
      (select count(*)::int from execution where execution_id = any(asked.execution_ids) and status = 'revoked')
        as revoked_executions,
      (select array[count(*) filter (where status = 'suspended'), count(*) filter (where status = 'revoked')]::int[]
        from agent where client_id = asked.client_id and agent_id = any(asked.agent_ids)) as agents,
      (select array[count(*) filter (where source = 'registered' and removed_at is null), count(revoked_at)]::int[]
        from agent_key where jkt = any(asked.jkts) and client_id = asked.client_id
          and agent_id = any(asked.agent_ids)) as keys,
      (select max(entry.ends_at)
        from unnest(asked.kinds, asked.ids) as ref(kind, id)
          cross join lateral (
            select max(ends_at) as ends_at from revocation
              where kind = ref.kind and id = ref.id and lifted_at is null group by kind, id) as entry) as entry_ends_at,
      (select delegation_id from delegation where delegator = asked.iss and jti = asked.jti) as presented_id,
      (select revoked_at from delegation where delegator = asked.iss and jti = asked.jti) as presented_revoked_at
      from json_to_recordset(${JSON.stringify(presentations.map(askedOf))}::json) as asked(n integer, client_id text,
        jtis text[], delegation_ids text[], registration_ids text[], execution_ids text[], agent_ids text[],
        jkts text[], kinds text[], ids text[], iss text, jti text)
      order by asked.n limit ${presentations.length}`.execute(ctx.db)
  return rows
})

function askedOf({ above, refs, claims }: Presentation, n: number) {
  const of = (column: 'jti' | 'delegation_id' | 'registration_id' | 'agent_id' | 'jkt' | 'execution_id') =>
    above.flatMap(token => token[column] ?? [])
  return {
    n,
    client_id: above[0]?.client_id ?? '',
    jtis: of('jti'),
    delegation_ids: of('delegation_id'),
    registration_ids: of('registration_id'),
    execution_ids: of('execution_id'),
    agent_ids: of('agent_id'),
    jkts: of('jkt'),
    kinds: refs.map(ref => ref.kind),
    ids: refs.map(ref => ref.id),
    iss: claims.iss,
    jti: claims.jti,
  }
}

/**
 * Removes delegations that ended so long ago that no token under them is left, a bounded piece at a time (index
 * delegation_by_expiry).
 */
export async function purgeDelegations(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - 2 * EXECUTION_LIFETIME_MAX * 1000)
  const dead = ctx.db
    .selectFrom('delegation')
    .select('delegation_id')
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(5000)
  await ctx.db.deleteFrom('delegation').where('delegation_id', 'in', dead).execute()
}

/** The chain of a delegation, subject names, root first (primary key). */
export async function findDelegationChain(ctx: Context, delegation_id: string): Promise<readonly string[] | undefined> {
  const row = await ctx.db
    .selectFrom('delegation')
    .select('chain')
    .where('delegation_id', '=', delegation_id)
    .executeTakeFirst()
  return row?.chain
}

/** Most names of the chains of one execution that are looked at. */
const MOST_NAMES = 1024

/** Whom the delegations of an execution name, each once (index delegation_by_execution). */
export async function delegatesOf(ctx: Context, execution_id: string): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct name from delegation, jsonb_array_elements_text(delegation.chain) as name
      where delegation.execution_id = ${execution_id} order by name limit ${MOST_NAMES}`.execute(ctx.db)
  return rows.map(({ name }) => name)
}
