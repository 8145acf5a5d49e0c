import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { isJsonObject, type JsonObject } from '../../src/protocol/json.ts'
import { agentGrant, send, tokenRequest } from '../attacks/attempt.ts'
import {
  type GivenAgent,
  givenAgent,
  givenClient,
  givenResource,
  givenWorkflow,
  givenWorld,
  READ_API,
} from '../attacks/given.ts'

const world = await givenWorld()
const { ctx, app } = world
const ONE = 'https://one.example.com'
const TWO = 'https://two.example.com'
const access = [ONE, TWO, READ_API].map(resource => ({ resource, scope: 'read' }))
const api = await givenClient(ctx, 'api-one', { access: [] })

for (const resource of [ONE, TWO]) {
  const scopes = [{ name: 'read' }]
  await givenResource(ctx, {
    resource,
    scopes,
    workflow_names: 'pairwise',
    ...(resource === ONE && { client_id: 'api-one' }),
  })
}

async function agentOf(client_id: string): Promise<GivenAgent> {
  const rights = [...access, { resource: app.issuer, scope: 'generate:intent-token register:intent' }]
  const client = await givenClient(ctx, client_id, { access: rights })
  const agent = await givenAgent(ctx, client, 'planner', { grant: { access } })
  const steps = [{ step_id: 'plan', agent_id: 'planner' }]
  for (const workflow_id of ['patch', 'other']) await givenWorkflow(ctx, client, workflow_id, steps)
  return agent
}
const agent = await agentOf('first')
const twin = await agentOf('second')

async function mint(of: GivenAgent, resource: string, workflow_id = 'patch') {
  const attempt = agentGrant(world, '/oauth/token', of)
  const detail = { type: 'urn:remit:workflow-step', workflow_id, workflow_step: 'plan' }
  attempt.params = { ...attempt.params, resource, authorization_details: JSON.stringify([detail]) }
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  const token = String(answer.body.access_token)
  const claims = decodeJwt<{ intent: JsonObject; authorization_details: JsonObject[] }>(token)
  const granted = { ...detail, execution_id: answer.body.execution_id }
  return { token, claims, details: answer.body.authorization_details, granted }
}

async function nameAt(of: GivenAgent, resource: string, workflow_id?: string): Promise<unknown> {
  return (await mint(of, resource, workflow_id)).claims.intent.workflow_id
}

test('pairwise: the API sees a name of its own everywhere in the token, the client the plain one (section 7)', async () => {
  const { token, claims, details, granted } = await mint(agent, ONE)
  const name = String(claims.intent.workflow_id)
  assert.match(name, /^wf_[A-Za-z0-9_-]{22}$/)
  assert.equal(claims.intent.workflow_step, 'plan')
  assert.deepEqual(claims.authorization_details, [{ ...granted, workflow_id: name }])
  assert.deepEqual(details, [granted])
  assert.equal(Buffer.from(token.split('.')[1] ?? '', 'base64url').includes('patch'), false)

  const row = await ctx.db
    .selectFrom('token')
    .select('workflow_id')
    .where('jti', '=', String(claims.jti))
    .executeTakeFirstOrThrow()
  assert.equal(row.workflow_id, 'patch')
  const { details: audited } = await ctx.db
    .selectFrom('audit_event')
    .select('details')
    .where('jti', '=', String(claims.jti))
    .executeTakeFirstOrThrow()
  assert.equal(isJsonObject(audited.intent) && audited.intent.workflow_id, 'patch')
  const { body } = await send(world, tokenRequest(world, '/oauth/introspect', api, token))
  assert.equal(isJsonObject(body.intent) && body.intent.workflow_id, name)
})

test('pairwise: the same API always sees the same name, another API, workflow or client another (section 7)', async () => {
  const name = await nameAt(agent, ONE)
  assert.equal(await nameAt(agent, ONE), name)
  const others = [await nameAt(agent, TWO), await nameAt(agent, ONE, 'other'), await nameAt(twin, ONE)]
  assert.equal(new Set([name, ...others]).size, 4)
})

test('plain: the API sees the workflow’s own name (section 7)', async () => {
  const { claims, granted } = await mint(agent, READ_API)
  assert.equal(claims.intent.workflow_id, 'patch')
  assert.deepEqual(claims.authorization_details, [granted])
})
