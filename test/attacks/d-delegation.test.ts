import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { type Attempt, agentGrant, clientCredentials, send } from './attempt.ts'
import { givenAgent, givenClient, givenResource, givenWorld, READ_API, WRITE_API } from './given.ts'
import { type Expected, refused } from './refused.ts'

const world = await givenWorld({}, { workflow_state: 'asserted' })
const TOKEN = '/oauth/token'
const INTENT = '/intent/token'
const good = () => agentGrant(world, TOKEN, world.solo)

type Case = {
  readonly row: number
  readonly name: string
  readonly params: Record<string, unknown>
  readonly expect: Expected
}

const badRequest = { status: 400, error: 'invalid_request', reason: 'malformed_parameter', audited: false } as const
const noWorkflow = { ...badRequest, reason: 'subject_token_without_workflow', audited: true } as const
const actor = { ...badRequest, reason: 'actor_token_sent' } as const
const half = { ...badRequest, reason: 'half_workflow_request' } as const
const undelegated = {
  ...{ status: 400, error: 'invalid_grant', ajwt_error: 'delegation_unauthorized' },
  ...{ reason: 'malformed_jws', audited: true },
} as const
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const tooMuch = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true } as const
const malformed = { status: 400, error: 'invalid_scope', reason: 'malformed_scope', audited: false } as const
const noTarget = { status: 400, error: 'invalid_target', reason: 'invalid_target', audited: true } as const
const several = { status: 400, error: 'invalid_target', reason: 'several_resources', audited: false } as const

/** Parameters of the agent grant at /oauth/token. */
const CASES: readonly Case[] = [
  { row: 50, name: 'a subject token of no type', params: { subject_token: 'a.b.c' }, expect: badRequest },
  {
    row: 50,
    name: 'a subject token that is none',
    params: { subject_token: 'a.b.c', subject_token_type: JWT },
    expect: noWorkflow,
  },
  { row: 51, name: 'an actor token', params: { actor_token: 'a.b.c' }, expect: actor },
  { row: 52, name: 'subject and actor token', params: { subject_token: 'a', actor_token: 'b' }, expect: actor },
  {
    row: 62,
    name: 'a delegation assertion that is none',
    params: { delegation_assertion: 'a.b.c' },
    expect: undelegated,
  },
  { row: 132, name: 'an execution of no form', params: { execution_id: 'exe_1' }, expect: badRequest },
  { row: 132, name: 'an execution and no step', params: { execution_id: `exe_${'A'.repeat(22)}` }, expect: half },
  { row: 56, name: 'a scope outside the grant', params: { scope: 'write' }, expect: tooMuch },
  { row: 56, name: 'one scope inside, one outside', params: { scope: 'read write' }, expect: tooMuch },
  { row: 56, name: 'a scope that nobody knows', params: { scope: 'admin' }, expect: tooMuch },
  { row: 57, name: 'another letter case', params: { scope: 'READ' }, expect: tooMuch },
  { row: 57, name: 'a wildcard', params: { scope: 'rea*' }, expect: tooMuch },
  { row: 57, name: 'a non-breaking space', params: { scope: 'read\u00a0write' }, expect: malformed },
  { row: 57, name: 'a tab', params: { scope: 'read\twrite' }, expect: malformed },
  { row: 57, name: 'a line feed', params: { scope: 'read\n' }, expect: malformed },
  { row: 57, name: 'two spaces', params: { scope: 'read  read' }, expect: malformed },
  { row: 57, name: 'a scope twice', params: { scope: 'read read' }, expect: malformed },
  { row: 57, name: 'none', params: { scope: undefined }, expect: malformed },
  {
    row: 57,
    name: '5,000',
    params: { scope: Array.from({ length: 5000 }, (_, n) => `s${n}`).join(' ') },
    expect: malformed,
  },
  {
    row: 58,
    name: 'an API that is not registered',
    params: { resource: 'https://evil.example.com' },
    expect: noTarget,
  },
  { row: 58, name: 'our own API', params: { resource: world.app.issuer }, expect: noTarget },
  { row: 58, name: 'our admin API', params: { resource: `${world.app.issuer}/admin` }, expect: noTarget },
  { row: 58, name: 'the API and a slash', params: { resource: `${READ_API}/` }, expect: noTarget },
  { row: 58, name: 'the API in capitals', params: { resource: READ_API.toUpperCase() }, expect: noTarget },
]

for (const [row, cases] of Map.groupBy(CASES, one => one.row)) {
  test(`[attack ${row}] the agent grant refuses ${cases.map(one => one.name).join('; ')}`, async () => {
    for (const { name, params, expect } of cases) {
      const attempt = good()
      attempt.params = { ...attempt.params, ...params }
      await refused(world, attempt, expect, good()).catch(error => {
        throw new Error(`${name}: ${error.message}`, { cause: error })
      })
    }
  })
}

test('[attack 58] two resources in one request are refused (RFC 8707 section 2)', async () => {
  const twice = clientCredentials(world)
  const both = `grant_type=client_credentials&scope=read&resource=${READ_API}&resource=${WRITE_API}`
  await refused(world, { ...twice, body: both }, several, clientCredentials(world))
  const array = agentGrant(world, INTENT, world.solo)
  array.params.audience = [READ_API, WRITE_API]
  await refused(world, array, several, agentGrant(world, INTENT, world.solo))
})

test('[attack 56] [attack 124] access is pairs: write on one API and read on another are not write on the other', async () => {
  for (const [scope, resource] of [
    ['write', READ_API],
    ['read', WRITE_API],
  ] as const) {
    const attempt = good()
    attempt.params = { ...attempt.params, scope, resource }
    await refused(world, attempt, tooMuch, good())
    const intent = agentGrant(world, INTENT, world.solo)
    intent.params = { ...intent.params, requested_scopes: [scope], audience: resource }
    await refused(world, intent, tooMuch, good())
    const client = clientCredentials(world)
    client.params = { ...client.params, scope, resource }
    await refused(world, client, tooMuch, clientCredentials(world))
  }
})

test('[attack 58] an API outside the client’s or the agent’s access, or revoked, is no target (section 6, row 10)', async () => {
  const { ctx, client } = world
  const resource = 'https://elsewhere.example.com'
  await givenResource(ctx, { resource, scopes: [{ name: 'read' }] })
  const asked = (attempt: Attempt) => {
    attempt.params.resource = resource
    return attempt
  }
  await refused(world, asked(clientCredentials(world)), noTarget, clientCredentials(world))
  const wide = await givenClient(ctx, undefined, {
    access: [
      { resource, scope: 'read' },
      { resource: READ_API, scope: 'read' },
      { resource: world.app.issuer, scope: 'generate:intent-token' },
    ],
  })
  const agent = await givenAgent(ctx, wide, 'narrow', { grant: { access: [{ resource: READ_API, scope: 'read' }] } })
  await refused(world, asked(agentGrant(world, TOKEN, agent)), noTarget, agentGrant(world, TOKEN, agent))
  const direct = () => asked(clientCredentials(world, wide))
  assert.equal((await send(world, direct())).status, 200)
  await ctx.db.updateTable('resource').set({ status: 'revoked' }).where('resource', '=', resource).execute()
  await refused(world, direct(), noTarget, clientCredentials(world, client))
})

test('[attack 56] our own APIs are within the client’s access, scope by scope, and never an agent’s (section 3)', async () => {
  const ask = (resource: string, scope: string) => {
    const attempt = clientCredentials(world)
    attempt.params = { ...attempt.params, resource, scope }
    return attempt
  }
  const { issuer } = world.app
  await refused(world, ask(`${issuer}/admin`, 'revoke'), noTarget, clientCredentials(world))
  await refused(world, ask(issuer, 'read:agents'), tooMuch, ask(issuer, 'generate:intent-token'))
  await refused(world, ask(issuer, 'generate:intent-token read:agents'), tooMuch, clientCredentials(world))
})

test('[attack 56] an agent keeps nothing that its client has lost (ceilings are read at every mint)', async () => {
  const { ctx } = world
  const client = await givenClient(ctx)
  const agent = await givenAgent(ctx, client, 'outlives')
  assert.equal((await send(world, agentGrant(world, TOKEN, agent))).status, 200)
  const narrowed = JSON.stringify([
    { resource: READ_API, scope: 'deploy' },
    { resource: world.app.issuer, scope: 'generate:intent-token' },
  ])
  await ctx.db.updateTable('client').set({ access: narrowed }).where('client_id', '=', client.client_id).execute()
  await refused(world, agentGrant(world, TOKEN, agent), tooMuch, good())
})

test('[attack 56] a scope that the API does not have any more is refused, though access names it', async () => {
  const { ctx } = world
  const resource = 'https://shrunk.example.com'
  await givenResource(ctx, { resource, scopes: [{ name: 'read' }, { name: 'old' }] })
  const client = await givenClient(ctx, undefined, { access: [{ resource, scope: 'read old' }] })
  const ask = (scope: string) => {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, resource, scope }
    return attempt
  }
  assert.equal((await send(world, ask('old'))).status, 200)
  const scopes = JSON.stringify([{ name: 'read', workflow: false, approval: false }])
  await ctx.db.updateTable('resource').set({ scopes }).where('resource', '=', resource).execute()
  await refused(world, ask('read old'), tooMuch, ask('read'))
})

test('[attack 58] without a resource the scopes name exactly one, else none (section 3)', async () => {
  const { ctx } = world
  const access = [
    { resource: READ_API, scope: 'read deploy' },
    { resource: WRITE_API, scope: 'read write' },
  ]
  const client = await givenClient(ctx, undefined, { access })
  const ask = (scope: string) => {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, resource: undefined, scope }
    return attempt
  }
  assert.equal(claimsOf(await mint(ask('write'))).aud, WRITE_API)
  const unclear = { ...noTarget, reason: 'resource_not_unique' }
  await refused(world, ask('read'), unclear, ask('write'))
  await refused(world, ask('nothing'), unclear, ask('write'))
})

test('a token that would be too large for a header is not made (protocol.md section 7)', async () => {
  const { ctx } = world
  const resource = 'https://large.example.com'
  const names = Array.from({ length: 16 }, (_, n) => `${n}-`.padEnd(250, 's'))
  await givenResource(ctx, { resource, scopes: names.map(name => ({ name })) })
  const client = await givenClient(ctx, undefined, { access: [{ resource, scope: names.join(' ') }] })
  const ask = (scope: string) => {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, resource, scope }
    return attempt
  }
  const expected = {
    status: 400,
    error: 'invalid_target',
    ajwt_error: 'token_too_large',
    reason: 'token_too_large',
    audited: true,
  }
  await refused(world, ask(names.join(' ')), expected, ask(names.slice(0, 2).join(' ')))
})

test('[attack 53] [attack 61] act, may_act, intent, sub and the like from the caller enter no token', async () => {
  const plain = claimsOf(await mint(good()))
  const forged = { sub: 'admin', act: { sub: 'x' }, may_act: { sub: 'x' }, intent: { state: 'recorded' } }
  for (const attempt of [good(), agentGrant(world, INTENT, world.solo)]) {
    const hints = {
      requested_subject: 'user:corp:1',
      login_hint: 'anna',
      cnf: { jkt: 'x' },
      exp: 1,
      iss: 'x',
      aud: 'y',
    }
    attempt.params = { ...attempt.params, ...forged, ...hints }
    const claims = claimsOf(await mint(attempt))
    assert.deepEqual({ ...claims, jti: '' }, { ...plain, jti: '' })
  }
})

test('[attack 68] a chain on the caller’s word is said to be one, and binds nothing (section 6, asserted)', async () => {
  const attempt = agentGrant(world, INTENT, world.solo)
  attempt.params.delegation_context = { chain: ['planner', 'solo'] }
  const { sub, act, intent } = claimsOf(await mint(attempt))
  const alone = claimsOf(await mint(good())).intent
  assert.deepEqual([sub, act], ['agent:patcher:solo', undefined])
  assert.deepEqual(intent, { ...alone, state: 'asserted', delegation_chain: sequenceHash(['planner', 'solo']) })
})

test('[attack 68] an empty chain asserts nothing (section 6)', async () => {
  const attempt = agentGrant(world, INTENT, world.solo)
  attempt.params.delegation_context = { chain: [] }
  const { intent } = claimsOf(await mint(attempt))
  assert.deepEqual(intent, claimsOf(await mint(good())).intent)
  assert.equal(intent.state, 'none')
})

test('[attack 54] [attack 55] [attack 64] an asserted chain that is too long, loops or names strangers is refused', async () => {
  const chains: readonly [string, string[]][] = [
    ['chain_loop', ['solo', 'planner', 'solo']],
    ['chain_unknown_agent', ['nobody', 'solo']],
    ['chain_too_long', ['a', 'b', 'c', 'd', 'e', 'f', 'solo']],
  ]
  for (const [reason, chain] of chains) {
    const attempt = agentGrant(world, INTENT, world.solo)
    attempt.params.delegation_context = { chain }
    const intent = { status: 403, error: 'delegation_unauthorized', reason, audited: true }
    await refused(world, attempt, intent, good())
    const oauth = good()
    oauth.params.delegation_context = { chain }
    const expected = {
      status: 400,
      error: 'invalid_grant',
      ajwt_error: 'delegation_unauthorized',
      reason,
      audited: true,
    }
    await refused(world, oauth, expected, good())
  }
})

async function mint(attempt: Attempt): Promise<string> {
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

function claimsOf(token: string) {
  const [, payload = ''] = token.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
}
