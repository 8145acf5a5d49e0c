import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Explanation, explanationSchema } from '../../src/protocol/audit-views.ts'
import { fillCommand } from '../../src/server/registry/explain-command.ts'
import { type Answer, type Attempt, agentGrant, clientCredentials, send } from '../attacks/attempt.ts'
import { givenAgent as givenAgentOf, givenWorld, READ_API, thumbprint } from '../attacks/given.ts'
import { testKey } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'
import { givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { caller } from './given.ts'

const world = await givenWorld({}, { workflow_state: 'asserted' })
const { app, ctx } = world
const asAdmin = caller(app, await givenAdmin(app), 'admin')

async function explained(id: string): Promise<Explanation> {
  const { status, body } = await asAdmin('GET', `/admin/v1/explain/${encodeURIComponent(id)}`)
  assert.equal(status, 200, JSON.stringify(body))
  return explanationSchema.parse(body)
}

function factOf({ facts }: Explanation, name: string): string | undefined {
  return facts.find(fact => fact.name === name)?.value
}

function requestId({ headers }: Answer): string {
  return String(headers['x-request-id'])
}

/** A refused request, by the id in its answer. */
async function refusedBy(attempt: Attempt, changes: Record<string, unknown> = {}): Promise<Explanation> {
  const answer = await send(world, { ...attempt, params: { ...attempt.params, ...changes } })
  assert.ok(answer.status >= 400, answer.text)
  return await explained(requestId(answer))
}

async function issuedJti(attempt: Attempt): Promise<string> {
  const answer = await send(world, attempt)
  const payload = String(answer.body.access_token).split('.')[1] ?? ''
  return String(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).jti)
}

test('a wrong checksum: what was sent stands beside what is valid, and the row and its page are named (issue 3)', async () => {
  const checksum = 'a'.repeat(64)
  const about = await refusedBy(agentGrant(world, '/oauth/token', world.solo), { computed_checksum: checksum })
  assert.deepEqual([about.kind, about.outcome, about.reason], ['request', 'refused', 'agent_checksum_mismatch'])
  assert.match(about.check, /compared with every version valid now/)
  assert.equal(factOf(about, 'asked checksum'), `sha256:${checksum}`)
  assert.match(factOf(about, 'agent version 1') ?? '', new RegExp(`^active, sha256:${world.solo.checksum}, reg_solo_`))
  assert.equal(about.command, 'remit agent show patcher solo')
  assert.equal(about.error_uri, `${app.issuer}/errors/agent_checksum_mismatch`)
  const again = await explained(about.rows[0]?.id ?? '')
  assert.deepEqual([again.kind, again.reason, again.facts], ['audit', about.reason, about.facts])
})

test('a checksum whose version waits: the command approves exactly that version', async () => {
  const client = await givenClient(app, { policies: { require_approval: true } })
  const { client_id } = client
  const asClient = caller(app, client, 'issuer', 'register:intent')
  const agent_components = { agent_id: 'waiting', prompt_template: 'CANARY-prompt', tools: [] }
  const { body } = await asClient('POST', '/intent/register/agent', { app_id: client_id, agent_components })
  const row = {
    ...world.solo,
    client: { ...world.client, client_id },
    agent_id: 'waiting',
    checksum: String(body.checksum),
  }
  // The witness signs with another key: the server's own record of the refusal is what is explained.
  await ctx.db
    .updateTable('client')
    .set({ jwks: JSON.stringify({ keys: [world.client.key.jwk] }) })
    .where('client_id', '=', client_id)
    .execute()
  const about = await refusedBy(agentGrant(world, '/intent/token', row))
  assert.equal(about.reason, 'agent_checksum_mismatch')
  const { registration_id, checksum } = body
  assert.equal(
    about.command,
    `remit agent approve ${client_id} waiting --registration ${registration_id} --checksum ${checksum}`,
  )
  assert.match(about.mend, /version 1, which waits/)
  assert.equal(JSON.stringify(about).includes('CANARY'), false)
})

test('a checksum whose version counted without approval and is retired: the command rolls back to it', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'replaced')
  const body = { agent_id: 'replaced', prompt_template: 'Another prompt.', tools: [] }
  await givenAgent(app, { ...world.client, key: await generateKey(), dpopKey: await generateKey() }, 'replaced', {
    agent_components: body,
    public_key: undefined,
  })
  const about = await refusedBy(agentGrant(world, '/oauth/token', agent))
  assert.equal(about.reason, 'agent_checksum_mismatch')
  assert.match(about.mend, /version 1, which mints no more/)
  assert.equal(about.command, `remit agent rollback patcher replaced --to ${agent.registration_id}`)
})

test('a checksum whose version was turned down: by whom stands in the version, why in the answer', async () => {
  const client = await givenClient(app, { owner: 'user:local:carl', policies: { require_approval: true } })
  const { client_id } = client
  const asClient = caller(app, client, 'issuer', 'register:intent')
  const agent_components = { agent_id: 'waiting', prompt_template: 'CANARY-prompt', tools: [] }
  const { body } = await asClient('POST', '/intent/register/agent', { app_id: client_id, agent_components })
  const { registration_id, checksum } = body
  const asOwner = caller(app, await givenAdmin(app, { owner: 'user:local:eve' }), 'admin')
  const decision = { registration_id, checksum, reason: 'wrong branch' }
  const path = `/admin/v1/agents/${client_id}/waiting`
  const own = caller(app, await givenAdmin(app, { owner: 'user:local:carl' }), 'admin')
  const refused = await own('POST', `${path}/approve`, { registration_id, checksum })
  assert.equal(refused.status, 403, JSON.stringify(refused.body))
  const why = await explained(refused.request_id)
  assert.deepEqual(
    [why.reason, factOf(why, 'compared acting_owner'), factOf(why, 'compared owners who may not')],
    ['own_proposal', 'user:local:carl', 'user:local:carl'],
  )
  assert.equal((await asOwner('POST', `${path}/reject`, decision)).status, 200)
  await ctx.db
    .updateTable('client')
    .set({ jwks: JSON.stringify({ keys: [world.client.key.jwk] }) })
    .where('client_id', '=', client_id)
    .execute()
  const row = { ...world.solo, client: { ...world.client, client_id }, agent_id: 'waiting', checksum: String(checksum) }
  const about = await refusedBy(agentGrant(world, '/intent/token', row))
  assert.equal(about.reason, 'agent_checksum_mismatch')
  assert.match(about.mend, /version 1, which was turned down \(wrong branch\)/)
  assert.equal(about.command, `remit agent version ${client_id} waiting ${registration_id}`)
})

test('a version whose drain is over is not shown as one that drains', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'drained')
  const client = { ...world.client, key: await generateKey(), dpopKey: await generateKey() }
  await givenAgent(app, client, 'drained', {
    agent_components: { agent_id: 'drained', prompt_template: 'Another prompt.', tools: [] },
    ...{ public_key: undefined, drain_seconds: 30 },
  })
  const other = { computed_checksum: 'a'.repeat(64) }
  const attempt = () => agentGrant(world, '/oauth/token', agent)
  assert.match(factOf(await refusedBy(attempt(), other), 'agent version 1') ?? '', /^draining until /)
  app.clock.advance(31)
  assert.equal(factOf(await refusedBy(attempt(), other), 'agent version 1'), undefined)
})

test('an agent of a revoked client is shown as revoked, with no version that counts', async () => {
  const client = await givenClient(app)
  const { client_id } = client
  const { registration_id } = await givenAgent(app, client, 'orphan')
  const body = { registration_id, checksum: 'a'.repeat(64) }
  const other = await asAdmin('POST', `/admin/v1/agents/${client_id}/orphan/approve`, body)
  assert.equal(other.status, 409)
  const revoked = await asAdmin('POST', '/admin/v1/revocations', { kind: 'client', id: client_id, reason: 'left' })
  assert.equal(revoked.status, 201)
  const about = await explained(other.request_id)
  assert.deepEqual(
    [factOf(about, 'agent status'), factOf(about, 'agent versions')],
    ['revoked', 'none is pending, active or draining'],
  )
})

test('a proof by a revoked key: what the entry does, and that the agent needs a new one', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'robbed')
  const jkt = await thumbprint(agent.key)
  assert.equal((await asAdmin('POST', '/admin/v1/revocations', { kind: 'key', id: jkt, reason: 'stolen' })).status, 201)
  const about = await refusedBy(agentGrant(world, '/oauth/token', agent))
  assert.equal(about.reason, 'agent_key_mismatch')
  assert.match(factOf(about, 'revocation 1 of key') ?? '', /the key is out of every record that had it/)
  assert.equal(about.command, 'remit agent key add patcher robbed --key FILE')
})

test('a proof by another key: both thumbprints', async () => {
  const key = testKey('ES256')
  const attempt = agentGrant(world, '/intent/token', world.solo)
  const proof = attempt.proof && { ...attempt.proof, key, header: { ...attempt.proof.header, jwk: key.jwk } }
  const about = await refusedBy({ ...attempt, proof })
  assert.equal(about.reason, 'agent_key_mismatch')
  assert.equal(factOf(about, 'asked with key (jkt)'), await thumbprint(key))
  assert.equal(factOf(about, 'agent registered keys (jkt)'), await thumbprint(world.solo.key))
})

test('a scope outside: the access of client, agent and resource with its marks', async () => {
  const about = await refusedBy(agentGrant(world, '/oauth/token', world.solo), { scope: 'read write' })
  assert.equal(about.reason, 'invalid_scope')
  assert.equal(factOf(about, 'asked scope'), 'read write')
  assert.equal(factOf(about, 'asked resource'), READ_API)
  assert.match(factOf(about, 'client access') ?? '', /read\.example\.com read deploy pay/)
  assert.equal(factOf(about, 'resource scopes'), 'read write deploy (workflow) pay (approval)')
})

test('a step too early: the workflow as it counts, and what is missing', async () => {
  const changes = { workflow_enabled: true, workflow_id: 'patch', workflow_step: 'apply' }
  const about = await refusedBy(agentGrant(world, '/intent/token', world.worker), changes)
  assert.equal(about.reason, 'missing_gate')
  assert.equal(factOf(about, 'missing steps'), 'plan gate')
  assert.equal(factOf(about, 'asked workflow_step'), 'apply')
  assert.equal(factOf(about, 'workflow steps'), 'plan: planner, gate: any, apply: worker, report: worker')
  assert.equal(about.command, 'remit workflow show patcher patch')
})

test('[attack 111] a secret in the wrong parameter is in no row: names that nobody registered are not kept', async () => {
  const changes = { scope: 'read CANARY-scope', resource: 'https://canary.example/CANARY-resource' }
  const about = await refusedBy(clientCredentials(world), changes)
  assert.equal(factOf(about, 'asked resource'), 'a name nobody registered')
  assert.deepEqual([factOf(about, 'asked scope'), factOf(about, 'asked scopes nobody registered')], ['read', '1'])
  const steps = { workflow_enabled: true, workflow_id: 'patch', workflow_step: 'CANARY-step' }
  const step = await refusedBy(agentGrant(world, '/intent/token', world.worker), steps)
  assert.equal(factOf(step, 'asked workflow_step'), 'an unknown one')
  const flow = await refusedBy(agentGrant(world, '/intent/token', world.worker), {
    ...steps,
    workflow_id: 'CANARY-flow',
  })
  assert.equal(factOf(flow, 'asked workflow_id'), 'an unknown one')
  const rows = await ctx.db.selectFrom('audit_event').selectAll().execute()
  assert.equal(JSON.stringify(rows).includes('CANARY'), false)
})

test('a token: live, then revoked by the entry of its agent, and another one expired', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'short-lived')
  const jti = await issuedJti(agentGrant(world, '/intent/token', agent))
  const live = await explained(jti)
  assert.deepEqual([live.kind, live.outcome, factOf(live, 'state')], ['token', 'success', 'live'])
  assert.match(String(factOf(live, 'version registered')), / by \S+ for user:local:/)
  assert.equal(factOf(live, 'version approved'), 'by nobody: it counted without approval')
  assert.equal(live.command, fillCommand('remit revoke token {jti} --reason TEXT', { jti }))
  assert.equal(factOf(live, 'bound to key (jkt)'), await thumbprint(agent.key))
  const revocation = { kind: 'agent', id: 'patcher/short-lived', reason: 'seen' }
  assert.equal((await asAdmin('POST', '/admin/v1/revocations', revocation)).status, 201)
  const revoked = await explained(jti)
  assert.equal(factOf(revoked, 'state'), 'revoked')
  assert.match(revoked.check, /revoked by the entry for agent patcher\/short-lived/)
  const other = await issuedJti(clientCredentials(world))
  app.clock.advance(901)
  assert.equal(factOf(await explained(other), 'state'), 'expired')
})

test('a token of a suspended agent: the command resumes it, unless an entry stands that nobody takes back', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'paused')
  const jti = await issuedJti(agentGrant(world, '/oauth/token', agent))
  const suspended = await asAdmin('POST', '/admin/v1/agents/patcher/paused/suspend', { reason: 'seen' })
  assert.equal(suspended.status, 200)
  const about = await explained(jti)
  assert.equal(factOf(about, 'state'), 'revoked')
  assert.match(about.mend, /suspended: once another owner resumes it/)
  assert.equal(about.command, 'remit agent resume patcher paused')
  assert.equal((await asAdmin('POST', '/admin/v1/revocations', { kind: 'token', id: jti, reason: 'x' })).status, 201)
  const other = await issuedJti(clientCredentials(world))
  const also = await explained(jti)
  assert.deepEqual([also.mend, also.command], ['The client asks for a new token, if it still may.', null])
  assert.equal(
    (await asAdmin('POST', '/admin/v1/revocations', { kind: 'agent', id: 'patcher/paused', reason: 'x' })).status,
    201,
  )
  const dead = await explained(jti)
  assert.match(dead.mend, /\(agent\) is final/)
  assert.equal(factOf(await explained(other), 'state'), 'live')
})

test('a token of a stopped initiator: until when, and that nothing about it is final', async () => {
  const agent = await givenAgentOf(ctx, world.client, 'began')
  const jti = await issuedJti(agentGrant(world, '/oauth/token', agent))
  const revocation = { kind: 'initiator', id: 'agent:patcher:began', reason: 'seen' }
  const { status, body } = await asAdmin('POST', '/admin/v1/revocations', revocation)
  assert.equal(status, 201)
  const { mend, command } = await explained(jti)
  assert.equal(
    mend,
    `What it began is stopped until ${body.ends_at}; from then on it may begin anew, with a new token.`,
  )
  assert.equal(command, null)
})

test('an act: what was done, by whom, and which owner answers for it', async () => {
  const resource = 'https://new.example/api'
  const { request_id } = await asAdmin('POST', '/admin/v1/resources', { resource, scopes: [{ name: 'a' }] })
  const about = await explained(request_id)
  assert.deepEqual([about.kind, about.outcome, about.reason], ['request', 'success', null])
  assert.match(about.check, /did resource\.create at /)
  assert.equal(factOf(about, 'acting_owner'), 'user:local:otto')
})

test('a request that nobody was authenticated for: the count that it is in', async () => {
  app.clock.advance(20)
  const attempt = clientCredentials(world)
  const assertion = attempt.assertion && { ...attempt.assertion, key: testKey('ES256') }
  const answer = await send(world, { ...attempt, assertion })
  app.clock.advance(1)
  await ctx.unauthenticated.flush(ctx)
  const about = await explained(requestId(answer))
  assert.deepEqual([about.kind, about.reason], ['request', 'unauthenticated'])
  assert.match(factOf(about, 'counted 1') ?? '', /"reason":"jws_signature"/)
  assert.equal(about.command, `remit audit show ${about.rows[0]?.id}`)
})

test('an unknown id is 404, and the scope audit:read is due', async () => {
  app.clock.advance(60)
  for (const id of ['nothing-of-ours', ctx.timeId()]) {
    const { status, body } = await asAdmin('GET', `/admin/v1/explain/${id}`)
    assert.deepEqual([status, body.code], [404, 'not_found'])
  }
  const without = caller(app, await givenAdmin(app), 'admin', 'revoke')
  assert.equal((await without('GET', '/admin/v1/explain/x')).status, 403)
})

test('a command is safe to paste: ids in it never end a word or begin an option', () => {
  const fill = (value: string | null) => fillCommand('remit x {client_id} end', { client_id: value })
  assert.equal(fill('app-1'), 'remit x app-1 end')
  assert.equal(fill('https://a.example/b'), 'remit x https://a.example/b end')
  assert.equal(fill('https://a.example/?q=1&rm'), "remit x 'https://a.example/?q=1&rm' end")
  assert.equal(fill("a'; rm -rf ~ #"), "remit x 'a'\\''; rm -rf ~ #' end")
  const revoke = fillCommand('remit revoke token {jti} --reason TEXT', { jti: '-abc' })
  assert.equal(revoke, 'remit revoke token --reason TEXT -- -abc')
  assert.equal(fill(null), 'remit x CLIENT_ID end')
})
