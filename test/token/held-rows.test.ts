import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { lockExecutionRecord } from '../../src/server/store/execution-record.ts'
import { proveDelegation } from '../../src/server/token/delegation.ts'
import { givenWorkflow, thumbprint } from '../attacks/given.ts'
import { givenDelegationFrom, recordProven } from '../support/delegated.ts'
import { freshPass } from '../support/fresh-pass.ts'
import { delegate, givenCrew, mint } from './delegating.ts'

// A lock, and what must be read only once it is had, are sent to the database without waiting in between: what somebody
// else committed until then is seen, because the statements arrive in their order.

const { world, client, agents } = await givenCrew()
const { ctx } = world
const [lead, hand] = agents
assert.ok(lead && hand)
await givenWorkflow(ctx, client, 'flow', [{ step_id: 'plan', agent_id: lead.agent_id, required: true }])
const PLAN = { params: { workflow_id: 'flow', workflow_step: 'plan' } }

/** Holds rows, runs `meet` until it waits for one of them, changes something, and lets go. */
async function meanwhile<T>(
  hold: (tx: Context) => Promise<unknown>,
  meet: () => Promise<T>,
  change: (tx: Context) => Promise<unknown>,
): Promise<T> {
  // In a list, because a promise that is returned is awaited.
  const [met] = await transaction(ctx, async tx => {
    await hold(tx)
    const met = [meet()]
    while (!(await somebodyWaits())) await setTimeout(5)
    await change(tx)
    return met
  })
  if (!met) throw new Error('Nothing was met.')
  return await met
}

async function somebodyWaits(): Promise<boolean> {
  // Locks of transactions have no database, and other tests wait for theirs on the same server.
  const { rows } = await sql`
    select 1 from pg_locks join pg_stat_activity using (pid)
      where not granted and locktype = 'transactionid' and datname = current_database()`.execute(ctx.db)
  return rows.length > 0
}

test('the last child of a token that somebody else records while it is held is counted (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const asked = { client_id: client.client_id, agent_id: hand.agent_id, jkt: await thumbprint(hand.key) }
  const proven = await proveDelegation(freshPass(ctx), await delegate(world, root, hand), asked)
  const { jti } = root.claims
  const refusal = await meanwhile(
    tx => sql`select from token where jti = ${jti} for update`.execute(tx.db),
    () => recordProven(ctx, proven, { limits: { ...LIMITS_DEFAULT, max_children: 1 }, proofs: false, now: ctx.now() }),
    tx => givenDelegationFrom(tx, jti),
  )
  assert.equal(refusal?.reason, 'max_children')
  assert.deepEqual(refusal?.details.compared, { delegations_of_parent: 1, max_children: 1 })
})

test('what an execution records while it is held is in the record that a mint judges by (section 6)', async () => {
  const { claims } = await mint(world, lead, undefined, PLAN)
  const execution_id = claims.intent?.execution_id ?? ''
  const of = (tx: Context) => tx.db.updateTable('execution_step').where('execution_id', '=', execution_id)
  const { execution, recorded } = await meanwhile(
    tx => sql`select from execution where execution_id = ${execution_id} for update`.execute(tx.db),
    () =>
      ctx.commits.write(ctx, tx => lockExecutionRecord(tx, { execution_id, step_id: 'plan', arguments_digest: null })),
    tx => of(tx).set({ state: 'left' }).execute(),
  )
  assert.equal(execution?.tokens, 1)
  assert.deepEqual(
    recorded.steps.map(({ step_id, state }) => [step_id, state]),
    [['plan', 'left']],
  )
})
