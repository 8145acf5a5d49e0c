import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { givenAdministrator } from './admin-call.ts'
import { type Answer, agentGrant, send } from './attempt.ts'
import { type Watched, waitsFor, watch } from './gate-watch.ts'
import { type GivenAgent, givenAgent, givenWorld } from './given.ts'

const world = await givenWorld()
const { ctx, app, client } = world
const eve = await givenAdministrator(world, 'user:local:eve')

/** The next version of an agent: a process with the new prompt and the same key. */
async function nextVersion(old: GivenAgent, prompt_template: string, drain_seconds: number): Promise<GivenAgent> {
  const { client_id } = old.client
  const agent_components = { agent_id: old.agent_id, prompt_template, tools: [] }
  const body = agentRegistrationSchema.parse({ app_id: client_id, agent_components, drain_seconds })
  const caller = {
    ...{ client_id, sub: client_id, acting_owner: 'user:local:anna', scope: ['register:intent'], registers_for: [] },
    ...{ request_id: 'given', address: '127.0.0.1' },
  }
  const { registration_id, checksum } = (await transaction(ctx, tx => registerAgent(tx, caller, body))).body
  return { ...old, registration_id, checksum }
}

function rollback({ client, agent_id, registration_id, checksum }: GivenAgent, drain_seconds: number) {
  const body = { registration_id, checksum, drain_seconds }
  return eve.call('POST', `/agents/${client.client_id}/${agent_id}/rollback`, body)
}

function mint(agent: GivenAgent): Promise<Answer> {
  return send(world, agentGrant(world, '/oauth/token', agent))
}

const PROCESSES = 2
const BEFORE_AND_AFTER = 4

/**
 * Runs `fn` while processes of each of these agents mint one token after the other, some before it and some after it.
 * The clock must stand still: what was signed before it jumps would be stale. Nothing may be refused.
 */
async function whileMinting<T>(agents: readonly GivenAgent[], fn: () => Promise<T>): Promise<T> {
  const answers: Answer[] = []
  let more = true
  const processes = agents.flatMap(agent =>
    Array.from({ length: PROCESSES }, async () => {
      while (more) answers.push(await mint(agent))
    }),
  )
  const some = () =>
    Promise.all(
      agents.map(async agent => {
        for (let n = 0; n < BEFORE_AND_AFTER; n += 1) answers.push(await mint(agent))
      }),
    )
  try {
    await some()
    const done = await fn()
    await some()
    return done
  } finally {
    more = false
    await Promise.all(processes)
    assert.deepEqual(
      answers.filter(answer => answer.status !== 200).map(answer => answer.text),
      [],
    )
  }
}

test('[attack 82] old and new processes mint through a drain and a rollback in its middle, and none is refused; each content ends with its drain (section 4)', async () => {
  const old = await givenAgent(ctx, client, 'rolling', { prompt: 'One.' })
  const next = await whileMinting([old], () => nextVersion(old, 'Two.', 120))
  app.clock.advance(60)
  const back = await whileMinting([old, next], () => rollback(old, 120))
  assert.equal(back.status, 200)
  // The first drain would be over by now; what came back counts, and what was left drains 120 s of its own.
  app.clock.advance(119)
  await whileMinting([old, next], async () => {})
  app.clock.advance(1)
  assert.equal((await mint(next)).body.ajwt_error, 'agent_checksum_mismatch')
  assert.equal((await mint(old)).status, 200)
})

test('[attack 82] a mint that a rollback overtakes between its checks and its write is not refused (section 4)', async () => {
  const old = await givenAgent(ctx, client, 'overtaken', { prompt: 'One.' })
  await nextVersion(old, 'Two.', 120)
  const db = openDatabase(app.database.connection)
  let overtaken: Watched<Answer> | undefined
  await db.transaction().execute(async tx => {
    await enterGateExclusive({ ...ctx, db: tx })
    overtaken = watch(mint(old))
    assert.ok(await waitsFor(world, 'gate', overtaken), 'it has found its version, which drains, and is about to write')
    assert.equal((await rollback(old, 0)).status, 200)
  })
  await db.destroy()
  assert.equal((await overtaken?.promise)?.status, 200)
})

test('[attack 82] a mint that a new version without a drain overtakes is refused (section 4)', async () => {
  const old = await givenAgent(ctx, client, 'replaced-at-once', { prompt: 'One.' })
  const db = openDatabase(app.database.connection)
  let overtaken: Watched<Answer> | undefined
  await db.transaction().execute(async tx => {
    await enterGateExclusive({ ...ctx, db: tx })
    overtaken = watch(mint(old))
    assert.ok(await waitsFor(world, 'gate', overtaken))
    await nextVersion(old, 'Two.', 0)
  })
  await db.destroy()
  assert.equal((await overtaken?.promise)?.body.ajwt_error, 'agent_checksum_mismatch')
})
