import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { adminCalls, lastAudited } from '../registry/admin-call.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { boundHeaders, givenAdmin, givenClient, givenResource } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { exchange, foreignToken, givenTrustedIssuer } from './foreign.ts'

const app = await startTestApp()
const { issuer, ctx } = app
const CARL = 'user:local:carl'

/** Anna's client, and Carl's, by which jobs register for it. */
const API = 'https://api.example.test'
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const shop = await givenClient(app, {
  policies: { require_approval: true },
  access: [{ resource: API, scope: 'read' }],
})
const access = [{ resource: issuer, scope: 'register:intent register:workflow' }]
const grant_types = [TOKEN_EXCHANGE_GRANT]
const ci = await givenClient(app, { owner: CARL, grant_types, access, registers_for: [shop.client_id] })
const signer = await generateKey()
const record = { name: 'ci', purpose: 'workload', clients: [ci.client_id], claims: { repository: 'acme' }, access }
await givenTrustedIssuer(app, signer, record)

const carl = adminCalls(app, await givenAdmin(app, { owner: CARL }), 'approve:agents')
const olga = adminCalls(app, await givenAdmin(app, { owner: 'user:local:olga' }), 'approve:agents')

/** Registers by the token of a job, through Carl's client. */
async function register(what: 'agent' | 'workflow', body: object) {
  const subject_token = await foreignToken(app, signer, { sub: 'job', repository: 'acme' })
  const scope = what === 'agent' ? 'register:intent' : 'register:workflow'
  const { access_token, claims } = await exchange(app, ci, { subject_token, scope })
  assert.equal(claims?.sub, 'user:ci:job')
  const url = `${issuer}/intent/register/${what}`
  const bound = await boundHeaders(app, ci, access_token, { method: 'POST', url })
  const headers = { ...bound, 'content-type': 'application/json' }
  const sent = { app_id: shop.client_id, ...body }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(sent) })
  const answer = await jsonOf(response)
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer
}

const agentOf = (prompt_template: string) => ({
  agent_components: { agent_id: 'planner', prompt_template, tools: [] },
})

test('[attack 125] who owns the client through which a job registered an agent does not approve it (section 4)', async () => {
  const { registration_id, checksum, status } = await register('agent', agentOf('One.'))
  assert.equal(status, 'pending')
  const [path, body] = [`/agents/${shop.client_id}/planner/approve`, { registration_id, checksum }]
  const own = await carl('POST', path, { body })
  assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
  assert.equal((await lastAudited(app, 'agent.approve')).reason, 'own_proposal')
  assert.equal((await olga('POST', path, { body })).body.status, 'active')
  // What Carl's jobs wrote is not his to bring back either.
  const next = await register('agent', agentOf('Two.'))
  const again = { registration_id: next.registration_id, checksum: next.checksum }
  assert.equal((await olga('POST', path, { body: again })).body.status, 'active')
  const back = { body: { ...body, drain_seconds: 0 } }
  const rollback = `/agents/${shop.client_id}/planner/rollback`
  assert.equal((await carl('POST', rollback, back)).status, 403)
  const returned = await olga('POST', rollback, back)
  assert.deepEqual([returned.status, returned.body.status], [200, 'active'])
  const kept = await ctx.db
    .selectFrom('registration')
    .select(['version', 'registered_client'])
    .where('client_id', '=', shop.client_id)
    .orderBy('version')
    .execute()
  assert.deepEqual(
    kept.map(row => row.registered_client),
    [ci.client_id, ci.client_id, ci.client_id],
  )
})

test('[attack 125] nor a workflow that a job registered through it (sections 4 and 5)', async () => {
  const gate = { step_id: 'gate', approval_gate: true }
  const agent = { step_id: 'pay', agent_id: 'planner', requires_approval: true, dependencies: ['gate'] }
  assert.equal((await register('workflow', { workflow_id: 'w', steps: [gate, agent] })).status, 'registered')
  const loose = [gate, { ...agent, requires_approval: false }]
  assert.equal((await register('workflow', { workflow_id: 'w', steps: loose })).status, 'pending')
  const [path, body] = [`/workflows/${shop.client_id}/w/approve`, { version: 2 }]
  assert.equal((await carl('POST', path, { body })).status, 403)
  assert.equal((await lastAudited(app, 'workflow.approve')).reason, 'own_proposal')
  assert.equal((await olga('POST', path, { body })).status, 200)
})

test('[attack 125] nor does who owned it as the version came, and has given it away since (section 4)', async () => {
  const { registration_id, checksum } = await register('agent', agentOf('Given away.'))
  const owners = adminCalls(app, await givenAdmin(app, { owner: CARL }), 'admin:clients approve:agents')
  const handed = await owners('PATCH', `/clients/${ci.client_id}`, { body: { owner: 'user:local:nobody' } })
  assert.equal(handed.status, 200, JSON.stringify(handed.body))
  const [path, body] = [`/agents/${shop.client_id}/planner/approve`, { registration_id, checksum }]
  assert.equal((await owners('POST', path, { body })).status, 403)
  // Nor widens by hand what the version asks for.
  const grant = { access: [{ resource: API, scope: 'read' }] }
  const wider = await owners('PATCH', `/agents/${shop.client_id}/planner`, { body: { grant } })
  assert.deepEqual([wider.status, (await lastAudited(app, 'agent.grant')).reason], [403, 'own_wider_grant'])
  assert.equal((await olga('POST', path, { body })).status, 200)
  assert.equal((await olga('PATCH', `/agents/${shop.client_id}/planner`, { body: { grant } })).status, 200)
  const back = adminCalls(app, await givenAdmin(app, { owner: 'user:local:eve' }), 'admin:clients')
  assert.equal((await back('PATCH', `/clients/${ci.client_id}`, { body: { owner: CARL } })).status, 200)
})

test('of a version from before the column the client is who registered it (section 4)', async () => {
  const { registration_id, checksum } = await register('agent', agentOf('Three.'))
  const older = { registered_client: null, registered_client_owner: null, registered_by: ci.client_id }
  await ctx.db.updateTable('registration').set(older).where('registration_id', '=', String(registration_id)).execute()
  const [path, body] = [`/agents/${shop.client_id}/planner/approve`, { registration_id, checksum }]
  assert.equal((await carl('POST', path, { body })).status, 403)
  assert.equal((await olga('POST', path, { body })).status, 200)
})

test('and where a person or job did, before it was kept, nobody approves it: it is registered again (ADR 12)', async () => {
  const { registration_id, checksum } = await register('agent', agentOf('Four.'))
  const older = { registered_client: null, registered_client_owner: null }
  await ctx.db.updateTable('registration').set(older).where('registration_id', '=', String(registration_id)).execute()
  const [path, body] = [`/agents/${shop.client_id}/planner/approve`, { registration_id, checksum }]
  assert.equal((await olga('POST', path, { body })).status, 409)
  assert.equal((await lastAudited(app, 'agent.approve')).reason, 'registering_client_not_kept')
  const again = await register('agent', agentOf('Four, again.'))
  const kept = { registration_id: again.registration_id, checksum: again.checksum }
  assert.equal((await olga('POST', path, { body: kept })).status, 200)
})

test('[attack 125] nor does who proposed the keys and the grant that it got from a version before (section 4)', async () => {
  const { jwk } = await generateKey()
  const named = (prompt_template: string) => ({
    agent_components: { agent_id: 'heir', prompt_template, tools: [] },
  })
  const grant = { access: [{ resource: API, scope: 'read' }] }
  await register('agent', { ...named('Mine.'), public_key: jwk, grant })
  // Anna's own pipeline registers next, without keys or grant.
  const anna = { acting_owner: 'user:local:anna', client_id: shop.client_id, sub: shop.client_id }
  const caller = { ...anna, scope: ['register:intent'], registers_for: [], request_id: 'x', address: '127.0.0.1' }
  const registerHers = async (prompt_template: string) => {
    const asked = agentRegistrationSchema.parse({ app_id: shop.client_id, ...named(prompt_template) })
    const { registration_id, checksum } = (await transaction(ctx, tx => registerAgent(tx, caller, asked))).body
    return { registration_id, checksum }
  }
  const path = `/agents/${shop.client_id}/heir/approve`
  const body = await registerHers('Hers.')
  const own = await carl('POST', path, { body })
  assert.deepEqual([own.status, (await lastAudited(app, 'agent.approve')).reason], [403, 'own_proposal'])
  assert.equal((await olga('POST', path, { body })).status, 200)
  // Once a version has counted nothing comes down any more.
  assert.equal((await carl('POST', path, { body: await registerHers('Later.') })).status, 200)
})
