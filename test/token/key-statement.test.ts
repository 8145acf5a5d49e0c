import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { transaction } from '../../src/server/context.ts'
import { listAgentKeys, removeAgentKey } from '../../src/server/store/agent-keys.ts'
import { agentGrant, clientCredentials, send } from '../attacks/attempt.ts'
import {
  DRAFT_API,
  type GivenAgent,
  givenAgent,
  givenClient,
  givenWorld,
  READ_API,
  thumbprint,
} from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'
import { testKey } from '../protocol/forge.ts'
import { NONE, revoke } from '../registry/given-revocation.ts'
import { byAgent, byClient, mintWith, statementFor } from './statement.ts'

const world = await givenWorld()
const { app, ctx } = world
const PATHS = ['/oauth/token', '/intent/token'] as const
const MISMATCH = { status: 400, error: 'invalid_dpop_proof', ajwt_error: 'agent_key_mismatch', audited: true } as const

let count = 0
/** An agent of a client that may endorse, unless told. */
async function endorsable(policies: object = {}): Promise<GivenAgent> {
  count += 1
  const own = { jwks: { keys: [clientKey.jwk] }, policies: { agent_keys: 'endorsed', ...policies } }
  const client = { ...(await givenClient(ctx, `fleet-${count}`, own)), key: clientKey }
  return await givenAgent(ctx, client, 'planner')
}
const clientKey = testKey('EdDSA')

async function keysOf({ client, agent_id }: GivenAgent) {
  const rows = await listAgentKeys(ctx, client.client_id, agent_id)
  return rows.map(({ jkt, source, endorsed_by, expires_at }) => ({ jkt, source, endorsed_by, expires_at }))
}

function good(agent: GivenAgent) {
  return agentGrant(world, '/oauth/token', agent)
}

test('a statement by a registered key admits the proof key at both endpoints, and binds it (section 4)', async () => {
  for (const path of PATHS) {
    const agent = await endorsable({ agent_keys: 'registered' })
    const holder = testKey('Ed25519')
    const statement = await statementFor(world, agent, holder, byAgent(agent))
    const { status, body } = await send(world, mintWith(world, agent, holder, statement, path))
    assert.equal(status, 200)
    const { cnf, agent_proof } = decodeJwt(String(body.access_token))
    const [jkt, endorsed_by] = [await thumbprint(holder), await thumbprint(agent.key)]
    assert.deepEqual(cnf, { jkt })
    assert.deepEqual(agent_proof, {
      agent_checksum: `sha256:${agent.checksum}`,
      registration_id: agent.registration_id,
      version: 1,
      key: 'endorsed',
    })
    const expires_at = new Date((app.clock.seconds() + 3_600) * 1000)
    assert.deepEqual(await keysOf(agent), [
      { jkt: endorsed_by, source: 'registered', endorsed_by: null, expires_at: null },
      { jkt, source: 'endorsed', endorsed_by, expires_at },
    ])
    const { details } = await ctx.db
      .selectFrom('audit_event')
      .select('details')
      .where('jti', '=', String(decodeJwt(String(body.access_token)).jti))
      .executeTakeFirstOrThrow()
    assert.equal(details.endorsed_by, endorsed_by)
  }
})

test('a draft token by an endorsed key carries that key (section 6)', async () => {
  const agent = await endorsable()
  const holder = testKey('ES256')
  const attempt = mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent)))
  attempt.params = { ...attempt.params, resource: DRAFT_API }
  const { body } = await send(world, attempt)
  const { x, y } = holder.jwk
  assert.deepEqual(decodeJwt(String(body.access_token)).cnf, { jwk: { kty: 'EC', crv: 'P-256', x, y } })
})

test('a statement is not single use, but each mint needs one: the bound key alone mints nothing (section 4)', async () => {
  const agent = await endorsable()
  const holder = testKey('ES256')
  const statement = await statementFor(world, agent, holder, byClient(agent))
  for (let mint = 0; mint < 3; mint += 1) {
    assert.equal((await send(world, mintWith(world, agent, holder, statement))).status, 200)
  }
  const bare = mintWith(world, agent, holder)
  await refused(world, bare, { ...MISMATCH, reason: 'key_statement_missing' }, good(agent))
})

test('a statement that is not by a key that may vouch, or not for this key and agent, admits nothing (section 4)', async () => {
  const agent = await endorsable()
  const worker = await givenAgent(ctx, agent.client, 'worker')
  const holder = testKey('ES256')
  const stranger = testKey('ES256')
  const endorsed = testKey('ES256')
  const first = await statementFor(world, agent, endorsed, byAgent(agent))
  assert.equal((await send(world, mintWith(world, agent, endorsed, first))).status, 200)
  const own = byAgent(agent)
  const rows: readonly [statement: string, reason: string][] = [
    [await statementFor(world, agent, stranger, own), 'statement_jkt'],
    [await statementFor(world, worker, holder, byAgent(worker)), 'statement_signer'],
    [await statementFor(world, worker, holder, byClient(worker)), 'statement_subject'],
    [await statementFor(world, agent, holder, { ...own, key: stranger }), 'statement_signer'],
    // An endorsed key vouches for nobody.
    [await statementFor(world, agent, holder, { ...own, key: endorsed }), 'statement_signer'],
    [await statementFor(world, agent, holder, { ...own, key: clientKey }), 'statement_signer'],
    [await statementFor(world, agent, holder, own, { aud: READ_API }), 'statement_audience'],
    [await statementFor(world, agent, holder, own, { exp: app.clock.seconds() + 86_401 }), 'lifetime_too_long'],
    [await statementFor(world, agent, holder, own, { iat: app.clock.seconds() + 11 }), 'iat_future'],
    ['no-statement', 'malformed_jws'],
  ]
  for (const path of PATHS) {
    for (const [statement, reason] of rows) {
      await refused(world, mintWith(world, agent, holder, statement, path), { ...MISMATCH, reason }, good(agent))
    }
  }
})

test('[attack 3] an agent’s key vouches with the algorithms of its proofs: RSA by PS256 alone (section 3)', async () => {
  const { client } = await endorsable()
  const key = testKey('PS256')
  const agent = await givenAgent(ctx, client, 'rsa', { key })
  const holder = testKey('ES256')
  const signer = byAgent(agent)
  const pss = await statementFor(world, agent, holder, signer)
  assert.equal((await send(world, mintWith(world, agent, holder, pss))).status, 200)
  const pkcs1 = await statementFor(world, agent, holder, { ...signer, key: { ...key, alg: 'RS256' } })
  await refused(world, mintWith(world, agent, holder, pkcs1), { ...MISMATCH, reason: 'jws_alg' }, good(agent))
})

test('the client’s own keys endorse only under its policy agent_keys "endorsed" (section 4)', async () => {
  const agent = await endorsable({ agent_keys: 'registered' })
  const holder = testKey('ES256')
  const statement = await statementFor(world, agent, holder, byClient(agent))
  const attempt = mintWith(world, agent, holder, statement)
  await refused(world, attempt, { ...MISMATCH, reason: 'statement_signer' }, good(agent))
})

test('a statement admits its key until its exp, and lets it live as long as the longest (section 4)', async () => {
  const own = await givenWorld()
  const agent = own.solo
  const holder = testKey('ES256')
  const iat = own.app.clock.seconds()
  const long = await statementFor(own, agent, holder, byAgent(agent), { exp: iat + 86_400 })
  const short = await statementFor(own, agent, holder, byAgent(agent), { exp: iat + 60 })
  assert.equal((await send(own, mintWith(own, agent, holder, long))).status, 200)
  assert.equal((await send(own, mintWith(own, agent, holder, short))).status, 200)
  const { expires_at } = await own.ctx.db
    .selectFrom('agent_key')
    .select('expires_at')
    .where('source', '=', 'endorsed')
    .executeTakeFirstOrThrow()
  assert.deepEqual(expires_at, new Date((iat + 86_400) * 1000))
  own.app.clock.advance(60)
  const over = mintWith(own, agent, holder, short)
  await refused(own, over, { ...MISMATCH, reason: 'exp_passed' }, agentGrant(own, '/oauth/token', agent))
  assert.equal((await send(own, mintWith(own, agent, holder, long))).status, 200)
})

test('a statement without a proof is refused, also where the client’s policy needs none (section 6)', async () => {
  const agent = await endorsable({ agent_proof: 'optional', allow_bearer: true })
  const statement = await statementFor(world, agent, testKey('ES256'), byClient(agent))
  for (const path of PATHS) {
    const attempt = { ...mintWith(world, agent, agent.key, statement, path), proof: undefined }
    await refused(world, attempt, { ...MISMATCH, reason: 'proof_required' }, good(agent))
  }
})

test('a key statement goes with the agent grant only, and as text (section 6)', async () => {
  const malformed = { status: 400, error: 'invalid_request', audited: false } as const
  const attempt = clientCredentials(world)
  attempt.params = { ...attempt.params, key_statement: 'x' }
  const reason = 'agent_parameter_without_agent'
  await refused(world, attempt, { ...malformed, reason }, clientCredentials(world))
  for (const key_statement of [1, null, ['x'], {}, 'a'.repeat(8_193)]) {
    const sent = agentGrant(world, '/intent/token', world.solo)
    sent.params = { ...sent.params, key_statement }
    await refused(world, sent, { ...malformed, reason: 'malformed_parameter' }, good(world.solo))
  }
})

test('a registered key stays registered, with a statement too, which must hold all the same (section 4)', async () => {
  const agent = await endorsable()
  const statement = await statementFor(world, agent, agent.key, byClient(agent))
  const { body } = await send(world, mintWith(world, agent, agent.key, statement))
  assert.equal(Object(decodeJwt(String(body.access_token)).agent_proof).key, 'registered')
  assert.deepEqual(
    (await keysOf(agent)).map(key => key.source),
    ['registered'],
  )
  const bad = mintWith(world, agent, agent.key, 'no-statement')
  await refused(world, bad, { ...MISMATCH, reason: 'malformed_jws' }, good(agent))
})

test('[attack 45] a key of another agent is not endorsed here, whoever vouches for it (section 4)', async () => {
  const agent = await endorsable()
  const worker = await givenAgent(ctx, agent.client, 'worker')
  const holder = testKey('ES256')
  const used = await statementFor(world, worker, holder, byClient(worker))
  assert.equal((await send(world, mintWith(world, worker, holder, used))).status, 200)
  for (const taken of [holder, worker.key]) {
    const statement = await statementFor(world, agent, taken, byClient(agent))
    const attempt = mintWith(world, agent, taken, statement)
    await refused(world, attempt, { ...MISMATCH, reason: 'agent_key_mismatch' }, good(agent))
  }
})

test('of two agents that use one new key at once, one gets it (section 4: first use binds)', async () => {
  const agent = await endorsable()
  const worker = await givenAgent(ctx, agent.client, 'worker')
  for (let round = 0; round < 5; round += 1) {
    const holder = testKey('ES256')
    const answers = await Promise.all(
      [agent, worker].map(async one => {
        const statement = await statementFor(world, one, holder, byClient(one))
        return await send(world, mintWith(world, one, holder, statement))
      }),
    )
    assert.deepEqual(answers.map(answer => answer.status).sort(), [200, 400])
  }
})

test('at most max_endorsed_keys live ones, also when 20 first uses come at once (section 4)', async () => {
  const agent = await endorsable({ max_endorsed_keys: 5 })
  const attempts = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const holder = testKey('ES256')
      return mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent)))
    }),
  )
  const answers = await Promise.all(attempts.map(attempt => send(world, attempt)))
  assert.equal(answers.filter(answer => answer.status === 200).length, 5)
  assert.equal((await keysOf(agent)).filter(key => key.source === 'endorsed').length, 5)
  const holder = testKey('ES256')
  const sixth = mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent)))
  const full = { ...MISMATCH, ajwt_error: 'limit_exceeded', reason: 'endorsed_keys_full' }
  await refused(world, sixth, full, good(agent))
})

test('a removed signer admits no key any more, and the keys that it endorsed do not come back (section 4)', async () => {
  const agent = await endorsable()
  const { client_id } = agent.client
  const holder = testKey('ES256')
  const byKey = await statementFor(world, agent, holder, byAgent(agent))
  assert.equal((await send(world, mintWith(world, agent, holder, byKey))).status, 200)
  await transaction(ctx, async tx => {
    assert.equal(await removeAgentKey(tx, { client_id, agent_id: 'planner' }, await thumbprint(agent.key), tx.now()), 1)
  })
  const other = testKey('ES256')
  const fresh = await statementFor(world, agent, other, byAgent(agent))
  const solo = good(world.solo)
  await refused(world, mintWith(world, agent, other, fresh), { ...MISMATCH, reason: 'statement_signer' }, solo)
  const again = mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent)))
  await refused(world, again, { ...MISMATCH, reason: 'agent_key_mismatch' }, good(world.solo))
})

test('a key that two have endorsed goes with either of them, whoever did so last (section 4)', async () => {
  const agent = await endorsable()
  const [holder, other] = [testKey('ES256'), testKey('ES256')]
  for (const signer of [byAgent(agent), byClient(agent)]) {
    const statement = await statementFor(world, agent, holder, signer)
    assert.equal((await send(world, mintWith(world, agent, holder, statement))).status, 200)
  }
  const byItself = await statementFor(world, agent, other, byClient(agent))
  assert.equal((await send(world, mintWith(world, agent, other, byItself))).status, 200)
  const { revoked, live_tokens } = await revoke(ctx, 'key', await thumbprint(agent.key))
  assert.deepEqual([revoked, live_tokens], [{ ...NONE, key: 2 }, 2])
  const again = () => statementFor(world, agent, holder, byClient(agent))
  const gone = mintWith(world, agent, holder, await again())
  await refused(world, gone, { ...MISMATCH, reason: 'agent_key_mismatch' }, good(world.solo))
  assert.equal((await send(world, mintWith(world, agent, other, byItself))).status, 200)
})

test('a key that leaves the client’s JWKS, or a policy that is taken back, endorses no more (section 4)', async () => {
  const agent = await endorsable()
  const { client_id } = agent.client
  const holder = testKey('ES256')
  const statement = await statementFor(world, agent, holder, byClient(agent))
  assert.equal((await send(world, mintWith(world, agent, holder, statement))).status, 200)
  const next = testKey('ES256')
  await setClient(client_id, { jwks: JSON.stringify({ keys: [next.jwk] }) })
  const rotated = { ...agent, client: { ...agent.client, key: next } }
  const attempt = () => mintWith(world, rotated, holder, statement)
  await refused(world, attempt(), { ...MISMATCH, reason: 'statement_signer' }, good(rotated))
})

async function setClient(client_id: string, set: { jwks: string }): Promise<void> {
  await ctx.db.updateTable('client').set(set).where('client_id', '=', client_id).execute()
}
