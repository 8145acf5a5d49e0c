import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { type Context, transaction } from '../../src/server/context.ts'
import { removeAgentKey } from '../../src/server/store/agent-keys.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import { type Answer, type Attempt, send } from '../attacks/attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorld, thumbprint } from '../attacks/given.ts'
import { testKey } from '../protocol/forge.ts'
import { byAgent, byClient, mintWith, statementFor } from './statement.ts'

const world = await givenWorld()
const { app, ctx } = world
const POLICIES = { agent_keys: 'endorsed' } as const

let count = 0
async function endorsable(): Promise<GivenAgent> {
  count += 1
  return await givenAgent(ctx, await givenClient(ctx, `fleet-${count}`, { policies: POLICIES }), 'planner')
}

/** Sends a mint that reads everything as it is, and then waits at the gate behind `act`. */
async function mintBehind(attempt: Attempt, act: (tx: Context) => Promise<void>): Promise<Answer> {
  const db = openDatabase(app.database.connection)
  let minting: Promise<Answer> | undefined
  try {
    await transaction({ ...ctx, db }, async tx => {
      await enterGateExclusive(tx)
      minting = send(world, attempt)
      await waitsAtGate(minting)
      await act(tx)
    })
  } finally {
    await db.destroy()
  }
  assert.ok(minting)
  return await minting
}

async function waitsAtGate(minting: Promise<Answer>): Promise<void> {
  let ended = false
  minting.finally(() => {
    ended = true
  })
  for (;;) {
    const { rows } = await sql`select 1 from pg_locks where not granted and locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`.execute(ctx.db)
    if (rows.length > 0) return
    assert.equal(ended, false, 'the mint did not wait for the gate')
  }
}

/** Of the one refusal since the trail was emptied. */
async function lastReason(): Promise<string | null> {
  const row = await ctx.db
    .selectFrom('audit_event')
    .select('reason')
    .where('outcome', '=', 'refused')
    .executeTakeFirst()
  return row?.reason ?? null
}

type Row = {
  readonly name: string
  readonly by: typeof byAgent
  readonly act: (tx: Context, agent: GivenAgent) => Promise<unknown>
  /** What it is refused as, when it is judged again by what the gate let in; a client that is none leaves no row. */
  readonly refused: readonly [status: number, error: string, reason: string | null]
}
const ROWS: readonly Row[] = [
  {
    name: 'a registered signer is removed',
    by: byAgent,
    act: async (tx, { client: { client_id }, agent_id, key }) =>
      await removeAgentKey(tx, { client_id, agent_id }, await thumbprint(key), tx.now()),
    refused: [400, 'invalid_dpop_proof', 'statement_signer_gone'],
  },
  {
    name: 'the signer leaves the client’s JWKS',
    by: byClient,
    act: async (tx, { client, key }) =>
      await setClient(tx, client.client_id, { jwks: JSON.stringify({ keys: [key.jwk] }) }),
    refused: [401, 'invalid_client', null],
  },
  {
    name: 'the client gets its keys from elsewhere',
    by: byClient,
    act: async (tx, { client }) =>
      await setClient(tx, client.client_id, { jwks: null, jwks_uri: 'https://keys.example.com' }),
    refused: [503, 'temporarily_unavailable', null],
  },
  {
    name: 'the policy is taken back',
    by: byClient,
    act: async (tx, { client }) => {
      const { policies } = await tx.db
        .selectFrom('client')
        .select('policies')
        .where('client_id', '=', client.client_id)
        .executeTakeFirstOrThrow()
      await setClient(tx, client.client_id, { policies: JSON.stringify({ ...policies, agent_keys: 'registered' }) })
    },
    refused: [400, 'invalid_dpop_proof', 'statement_signer'],
  },
  {
    name: 'the signer is revoked as a key',
    by: byClient,
    act: async (tx, { client }) => {
      const entry = { kind: 'key' as const, id: await thumbprint(client.key) }
      await insertRevocations(tx, [entry], { reason: 'test', revoked_by: 'test', now: tx.now() })
    },
    refused: [401, 'invalid_client', null],
  },
]

for (const { name, by, act, refused } of ROWS) {
  test(`behind the gate the signer is read again: ${name} (sections 4 and 9)`, async () => {
    const agent = await endorsable()
    const holder = testKey('ES256')
    const attempt = mintWith(world, agent, holder, await statementFor(world, agent, holder, by(agent)))
    await ctx.db.deleteFrom('audit_event').execute()
    const answer = await mintBehind(attempt, async tx => {
      await act(tx, agent)
    })
    assert.deepEqual([answer.status, answer.body.error, await lastReason()], refused)
    assert.equal(
      await ctx.db
        .selectFrom('agent_key')
        .select('jkt')
        .where('jkt', '=', await thumbprint(holder))
        .executeTakeFirst(),
      undefined,
    )
  })
}

test('an endorsed key that is removed while its mint waits at the gate does not come back (sections 4 and 9)', async () => {
  // The clients here share a key, and a revoked one is no new client's.
  await ctx.db.deleteFrom('revocation').execute()
  const agent = await endorsable()
  const holder = testKey('ES256')
  const jkt = await thumbprint(holder)
  const statement = await statementFor(world, agent, holder, byClient(agent))
  assert.equal((await send(world, mintWith(world, agent, holder, statement))).status, 200)
  await ctx.db.deleteFrom('audit_event').execute()
  const removed_at = app.clock.now()
  const answer = await mintBehind(mintWith(world, agent, holder, statement), async tx => {
    await tx.db.updateTable('agent_key').set({ removed_at }).where('jkt', '=', jkt).execute()
  })
  assert.deepEqual([answer.status, await lastReason()], [400, 'agent_key_mismatch'])
  const row = await ctx.db.selectFrom('agent_key').select('removed_at').where('jkt', '=', jkt).executeTakeFirst()
  assert.deepEqual(row, { removed_at })
})

test('a mint that waited at the gate for nothing of its own goes through (section 9)', async () => {
  await ctx.db.deleteFrom('revocation').execute()
  const agent = await endorsable()
  const holder = testKey('ES256')
  const attempt = mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent)))
  assert.equal((await mintBehind(attempt, async () => {})).status, 200)
})

async function setClient(
  tx: Context,
  client_id: string,
  set: { jwks?: string | null; jwks_uri?: string; policies?: string },
): Promise<void> {
  await tx.db.updateTable('client').set(set).where('client_id', '=', client_id).execute()
}
