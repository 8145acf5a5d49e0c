import { randomBytes, randomUUID } from 'node:crypto'
import { type Insertable, sql } from 'kysely'
import type { OAuthError } from '../../src/protocol/errors.ts'
import type { Context } from '../../src/server/context.ts'
import { type FirstPresentation, recordPresentation } from '../../src/server/store/presentations.ts'
import type { TokenTable } from '../../src/server/store/schema-token.ts'
import { insertToken } from '../../src/server/store/tokens.ts'
import { type ProvenDelegation, readAgain, recordDelegation } from '../../src/server/token/delegation.ts'

/* Delegations and tokens under them as mints leave them, written without a mint. */

const HOUR = 3_600_000
const CHILDREN = 100_000
const COPIES_A_STATEMENT = 2_500

/** A delegation from a recorded token, as its first presentation leaves it; good for an hour. @returns its id */
export async function givenDelegationFrom(
  ctx: Context,
  parent_jti: string,
  members: Partial<FirstPresentation['row']> = {},
): Promise<string> {
  const parent = await ctx.db
    .selectFrom('token')
    .select(['client_id', 'agent_id', 'jkt', 'execution_id', 'delegation_id'])
    .where('jti', '=', parent_jti)
    .executeTakeFirstOrThrow()
  const { client_id, execution_id } = parent
  const delegator = `agent:${client_id}:${parent.agent_id}`
  const delegate = `agent:${client_id}:delegate`
  const now = ctx.now()
  const delegation_id = randomBytes(32).toString('base64url')
  const row = {
    ...{ delegation_id, client_id, delegator, delegate, jti: randomUUID(), parent_jti, execution_id },
    ...{ parent_delegation_id: parent.delegation_id, workflow_step: null },
    ...{ delegator_jkt: parent.jkt ?? '', jkt: randomBytes(32).toString('base64url'), scope: 'read' },
    ...{ resource: 'https://crm.example/api', chain: [delegator, delegate], assertion: 'a.b.c' },
    ...{ issued_at: now, expires_at: new Date(now.getTime() + HOUR), presented_at: now, ...members },
  }
  await recordPresentation(ctx, { row, max_children: CHILDREN })
  return delegation_id
}

/** The part of a mint's write that is about its delegation, without the rest. @returns why not */
export async function recordProven(
  ctx: Context,
  proven: ProvenDelegation,
  rules: Parameters<typeof recordDelegation>[2],
): Promise<OAuthError | undefined> {
  return await ctx.commits.write(ctx, async tx => {
    const delegation = await readAgain(tx, proven)
    return delegation && (await recordDelegation(tx, delegation, rules))
  })
}

/** A token minted under a delegation, good for 300 seconds. @returns its jti */
export async function givenTokenUnder(
  ctx: Context,
  delegation_id: string,
  members: Partial<Insertable<TokenTable>> = {},
): Promise<string> {
  const { client_id, parent_jti, execution_id, jkt } = await ctx.db
    .selectFrom('delegation')
    .select(['client_id', 'parent_jti', 'execution_id', 'jkt'])
    .where('delegation_id', '=', delegation_id)
    .executeTakeFirstOrThrow()
  const { jti = randomUUID(), agent_id = 'delegate' } = members
  const now = ctx.now()
  await insertToken(ctx, {
    ...{ jti, client_id, sub: `agent:${client_id}:${agent_id}`, resource: 'https://crm.example/api', scope: 'read' },
    ...{ token_profile: 'interop', kid: 'k', token_type: 'DPoP', jkt, agent_id, registration_id: null },
    ...{ workflow_id: null, workflow_version: null, workflow_step: null, workflow_state: 'none' },
    ...{ execution_id, parent_jti, delegation_id, initiated_by: null },
    ...{ issued_at: now, expires_at: new Date(now.getTime() + 300_000), ...members },
  })
  return jti
}

/** A live token that was delegated from another. @returns its jti */
export async function givenDelegated(
  ctx: Context,
  parent_jti: string,
  members: Partial<Insertable<TokenTable>> = {},
): Promise<string> {
  return await givenTokenUnder(ctx, await givenDelegationFrom(ctx, parent_jti), members)
}

/** Copies a delegated token and its delegation: `n` further children of the same parent. @returns their jtis */
export async function givenSiblings(ctx: Context, jti: string, n: number): Promise<readonly string[]> {
  const jtis: string[] = []
  for (let from = 1; from <= n; from += COPIES_A_STATEMENT) {
    const to = Math.min(n, from + COPIES_A_STATEMENT - 1)
    const { rows } = await sql<{ jti: string }>`
      with delegated as (
        insert into delegation
          select copy.* from delegation, generate_series(${from}::int, ${to}::int) i,
            jsonb_populate_record(delegation, jsonb_build_object(
              'delegation_id', delegation.delegation_id || '-' || i, 'jti', delegation.jti || '-' || i)) copy
            where delegation.delegation_id = (select delegation_id from token where jti = ${jti})
      )
      insert into token
        select copy.* from token, generate_series(${from}::int, ${to}::int) i,
          jsonb_populate_record(token, jsonb_build_object(
            'jti', token.jti || '-' || i, 'delegation_id', token.delegation_id || '-' || i)) copy
          where token.jti = ${jti}
        returning jti`.execute(ctx.db)
    jtis.push(...rows.map(row => row.jti))
  }
  return jtis
}
