import { type Insertable, type Selectable, sql } from 'kysely'
import { MAX_HOPS } from '../../protocol/delegation.ts'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { DelegationTable } from './schema-execution.ts'

const TOKEN_COLUMNS = [
  'token.jti',
  'token.client_id',
  'token.agent_id',
  'token.registration_id',
  'token.sub',
  'token.initiated_by',
  'token.kid',
  'token.jkt',
  'token.resource',
  'token.scope',
  'token.workflow_id',
  'token.workflow_step',
  'token.execution_id',
  'token.parent_jti',
  'token.delegation_id',
  'token.issued_at',
  'token.expires_at',
  'token.revoked_at',
] as const

/** A token with what it rests on now, and the delegation under which it was minted. Absent rows are null. */
export type TokenAbove = Awaited<ReturnType<typeof tokensAbove>>[number]

/** So many tokens stand above the last hop that may be; one more tells a chain that is too long. */
const MOST_ABOVE = MAX_HOPS + 1

/**
 * A token and those from which it was delegated, itself first and the root last, as far as one hop past the longest
 * chain (primary keys). A key that is not the agent's any more, or never was, is null.
 */
export async function tokensAbove(ctx: Context, jti: string) {
  return await ctx.db
    .withRecursive('above', db =>
      db
        .selectFrom('token')
        .select([...TOKEN_COLUMNS, sql<number>`0`.as('height')])
        .where('token.jti', '=', jti)
        .unionAll(
          db
            .selectFrom('above')
            .innerJoin('token', 'token.jti', 'above.parent_jti')
            .select([...TOKEN_COLUMNS, sql<number>`above.height + 1`.as('height')])
            .where('above.height', '<', MOST_ABOVE - 1),
        ),
    )
    .selectFrom('above')
    .leftJoin('registration', 'registration.registration_id', 'above.registration_id')
    .leftJoin('agent', join =>
      join.onRef('agent.client_id', '=', 'above.client_id').onRef('agent.agent_id', '=', 'above.agent_id'),
    )
    .leftJoin('agent_key', join =>
      join
        .onRef('agent_key.jkt', '=', 'above.jkt')
        .onRef('agent_key.client_id', '=', 'above.client_id')
        .onRef('agent_key.agent_id', '=', 'above.agent_id'),
    )
    .leftJoin('execution', 'execution.execution_id', 'above.execution_id')
    .leftJoin('delegation', 'delegation.delegation_id', 'above.delegation_id')
    .selectAll('above')
    .select([
      'registration.status as registration_status',
      'agent.status as agent_status',
      'agent_key.source as key_source',
      'agent_key.removed_at as key_removed_at',
      'agent_key.revoked_at as key_revoked_at',
      'execution.status as execution_status',
      'execution.expires_at as execution_expires_at',
      'delegation.assertion as assertion',
      'delegation.workflow_step as delegated_step',
      'delegation.scope as delegated_scope',
      'delegation.resource as delegated_resource',
      'delegation.issued_at as delegation_issued_at',
      'delegation.expires_at as delegation_expires_at',
      'delegation.revoked_at as delegation_revoked_at',
    ])
    .orderBy('above.height')
    .limit(MOST_ABOVE)
    .execute()
}

export type PresentedDelegation = Pick<Selectable<DelegationTable>, 'delegation_id' | 'revoked_at'>

/** What a delegator presented under this `jti` (unique index on delegator, jti). */
export async function findPresented(
  ctx: Context,
  delegator: string,
  jti: string,
): Promise<PresentedDelegation | undefined> {
  return await ctx.db
    .selectFrom('delegation')
    .select(['delegation_id', 'revoked_at'])
    .where('delegator', '=', delegator)
    .where('jti', '=', jti)
    .executeTakeFirst()
}

/** Holds a token's row until the transaction ends, so that what is delegated from it is counted one after the other. */
export async function lockParent(tx: Context, jti: string): Promise<void> {
  await tx.db.selectFrom('token').select('jti').where('jti', '=', jti).forUpdate().executeTakeFirst()
}

/** How often a token was delegated from, counted up to `most` (index delegation_by_parent). */
export async function countChildren(tx: Context, parent_jti: string, most: number): Promise<number> {
  const children = tx.db
    .selectFrom('delegation')
    .select('delegation_id')
    .where('parent_jti', '=', parent_jti)
    .limit(most)
  const { count } = await tx.db
    .selectFrom(children.as('child'))
    .select(eb => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Records the first presentation. RETURNING decides. @returns false where its digest, or its jti, was there before */
export async function insertDelegation(tx: Context, row: Insertable<DelegationTable>): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('delegation')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .returning('delegation_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/**
 * Removes delegations that ended so long ago that no token under them is left, a bounded piece at a time (index
 * delegation_by_expiry). None outlives the one above it, and its chain is longer: so the piece has no row without those
 * that name it.
 */
export async function purgeDelegations(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - 2 * EXECUTION_LIFETIME_MAX * 1000)
  const dead = ctx.db
    .selectFrom('delegation')
    .select('delegation_id')
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .orderBy(sql`jsonb_array_length(chain)`, 'desc')
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
