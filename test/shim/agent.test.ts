import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { OAuthError } from '../../src/protocol/errors.ts'
import { createExecution } from '../../src/shim/execution.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { generateKey, signJws } from '../support/dpop.ts'
import { givenAgent } from '../support/given.ts'
import { givenWorkflow } from '../support/recorded.ts'
import { agentOf, givenHost, PROMPT, SCOPE, startApi } from './setting.ts'

const app = await startTestApp()

const registered = (agent_id: string, more: object = {}) => ({
  agent_components: { agent_id, prompt_template: PROMPT, tools: [], configuration: {} },
  public_key: undefined,
  ...more,
})

function refusedWith(code: string, reason: string) {
  return (error: unknown) => error instanceof OAuthError && error.code === code && error.reason === reason
}

test('each call of an API carries the agent token and a proof of its own; the token is minted once', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const agent = agentOf(app, host, [api])
  const answers = await Promise.all([1, 2, 3].map(n => agent.fetch(`${api.resource}/pages/${n}?draft=1`)))
  assert.deepEqual(
    answers.map(answer => answer.status),
    [200, 200, 200],
  )
  assert.equal(new Set(api.calls.map(({ claims }) => claims.jti)).size, 1)
  assert.equal(new Set(api.calls.map(({ proof }) => proof?.jti)).size, 3)
  const [first] = api.calls
  assert.equal(first?.claims.sub, agent.sub)
  assert.equal(first?.claims.agent_proof?.key, 'endorsed')
  assert.deepEqual(first?.claims.cnf, { jkt: (await agent.identity()).jkt })
})

test('[attack 88, 89] a prompt that changed mints nothing once its change is told, or its token ends (section 4)', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  let prompt = PROMPT
  const agent = agentOf(app, host, [api], { prompt: () => prompt })
  assert.equal((await agent.fetch(api.resource)).status, 200)
  prompt = 'You delete pages.'
  assert.equal((await agent.fetch(api.resource)).status, 200, 'the token lives until its end')
  agent.changed()
  const mismatch = refusedWith('agent_checksum_mismatch', 'agent_checksum_mismatch')
  await assert.rejects(agent.fetch(api.resource), mismatch)
  prompt = PROMPT
  assert.equal((await agent.fetch(api.resource)).status, 200)
  prompt = 'You delete pages.'
  app.clock.advance(300)
  await assert.rejects(agent.fetch(api.resource), mismatch)
})

test('a token is renewed ahead of its end, and while that fails the old one is used', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const renewed = Promise.withResolvers<void>()
  let isCut = false
  const send: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/intent/token')) return await fetch(input, init)
    if (isCut) throw new TypeError('cut off')
    const answer = await fetch(input, init)
    if (api.calls.length > 0) renewed.resolve()
    return answer
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  await agent.fetch(api.resource)
  app.clock.advance(230)
  isCut = true
  await agent.fetch(api.resource)
  isCut = false
  app.clock.advance(10)
  await agent.fetch(api.resource)
  const tokens = () => new Set(api.calls.map(({ claims }) => claims.jti)).size
  await renewed.promise
  for (let turn = 0; turn < 1_000 && tokens() < 2; turn += 1) await agent.fetch(api.resource)
  assert.equal(tokens(), 2)
  assert.equal(api.calls[0]?.claims.jti, api.calls[1]?.claims.jti)
  isCut = true
  app.clock.advance(600)
  await assert.rejects(agent.fetch(api.resource), refusedWith('temporarily_unavailable', 'issuer_unavailable'))
})

test('what is sent to another address than its APIs carries neither token nor proof', async () => {
  const [api, other] = [await startApi(app), await startApi(app)]
  const host = await givenHost(app, [api, other])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const sent: string[] = []
  const send: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    sent.push(`${String(input)} ${headers.has('authorization')} ${headers.has('dpop')}`)
    return await fetch(input, init)
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  const evil = `${api.resource}.evil.example`
  for (const url of [other.resource, `${other.resource}/?at=${api.resource}`]) await agent.fetch(url)
  await assert.rejects(agent.fetch(evil))
  assert.deepEqual(
    sent,
    [other.resource, `${other.resource}/?at=${api.resource}`, evil].map(url => `${url} false false`),
  )
  await assert.rejects(agent.headers('GET', other.resource), refusedWith('invalid_target', 'url_of_no_api'))
})

test('a protected call is not redirected: a proof is for one address', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const seen: (string | undefined)[] = []
  const send: typeof fetch = async (input, init) => {
    if (String(input).startsWith(api.resource)) seen.push(init?.redirect)
    return await fetch(input, init)
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  await agent.fetch(api.resource, { redirect: 'follow' })
  await agent.fetch(api.resource)
  await agent.fetch(new Request(api.resource, { redirect: 'manual' }), { redirect: 'manual' })
  assert.deepEqual(seen, ['error', 'error', 'manual'])
})

test('bd names the bytes of the body, and scope narrows one call (section 8)', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const agent = agentOf(app, host, [api])
  const bodies = ['{"page":1}', new Blob(['{"page":1}']), new Blob(['{"page":1}']).stream()]
  for (const body of bodies) {
    const init = { method: 'POST', body, duplex: 'half' } as const
    const answer = await agent.fetch(api.resource, init, { bindBody: true, scope: ['page:read'] })
    assert.equal(answer.status, 200)
  }
  const request = new Request(api.resource, { method: 'POST', body: 'x' })
  assert.equal((await agent.fetch(request, undefined, { bindBody: true })).status, 200)
  const digest = (body: string) => createHash('sha256').update(body).digest('base64url')
  const named = [digest('{"page":1}'), ['page:read']]
  assert.deepEqual(
    api.calls.map(({ bd, scope }) => [bd, scope]),
    [named, named, named, [digest('x'), SCOPE.split(' ')]],
  )
})

test('an API whose calls are all to name their body gets no call that does not', async () => {
  const api = await startApi(app)
  api.rule = { boundBody: true }
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const access = [{ resource: api.resource, scope: SCOPE.split(' '), bindBody: true }]
  const agent = agentOf(app, host, [api], { access })
  assert.equal((await agent.fetch(api.resource, { method: 'POST', body: 'x' })).status, 200)
  assert.equal((await agent.fetch(api.resource)).status, 200)
  await assert.rejects(agent.headers('POST', api.resource), refusedWith('invalid_request', 'body_not_given'))
  const headers = await agent.headers('POST', api.resource, { body: Buffer.from('x') })
  assert.equal((await fetch(api.resource, { method: 'POST', body: 'x', headers })).status, 200)
  const unbound = await agent.fetch(api.resource, { method: 'POST', body: 'x' }, { bindBody: false })
  assert.deepEqual([unbound.status, api.refused], [401, ['bd_missing']])
})

test('a nonce that the API asks for is sent in one more attempt, with the same body, and kept', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const bodies: string[] = []
  let challenges = 0
  const send: typeof fetch = async (input, init) => {
    const proof = new Headers(init?.headers).get('dpop') ?? ''
    const payload: unknown = JSON.parse(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString() || '{}')
    const hasNonce = typeof payload === 'object' && payload !== null && 'nonce' in payload && payload.nonce === 'n1'
    if (!String(input).startsWith(api.resource) || hasNonce) return await fetch(input, init)
    challenges += 1
    bodies.push(await new Response(init?.body ?? null).text())
    const headers = { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' }
    return new Response(null, { status: 401, headers })
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  const call = async () =>
    (await agent.fetch(api.resource, { method: 'POST', body: 'same' }, { bindBody: true })).status
  assert.deepEqual([await call(), await call()], [200, 200])
  assert.deepEqual([challenges, bodies], [1, ['same']])
})

test('the metadata of another issuer, or an endpoint elsewhere, is not believed (RFC 8414 section 3.3)', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const asked: string[] = []
  const lies = [
    { issuer: 'http://127.0.0.1:1', ajwt_intent_token_endpoint: `${app.issuer}/intent/token` },
    { issuer: app.issuer, ajwt_intent_token_endpoint: 'http://127.0.0.1:1/intent/token' },
  ]
  for (const lie of lies) {
    const send: typeof fetch = async input => {
      asked.push(String(input))
      return Response.json(lie)
    }
    const agent = agentOf(app, host, [api], { fetch: send })
    await assert.rejects(agent.fetch(api.resource), refusedWith('server_error', 'another_issuer'))
  }
  assert.deepEqual(new Set(asked), new Set([`${app.issuer}/.well-known/oauth-authorization-server`]))
  const url = refusedWith('invalid_request', 'issuer_url')
  assert.throws(() => agentOf(app, host, [api], { issuer: 'http://idp.example.test' }), url)
})

test('a token of another issuer, for another API, of another key, or that has ended is not carried', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const hashes = { delegation_chain: '0'.repeat(16), step_sequence_hash: '0'.repeat(16), chain_commitment: 'x' }
  const lies = [
    { client_id: 'other' },
    { intent: { executed_by: 'other', state: 'none', initiated_by: 'x', ...hashes } },
    { scope: 'page:read page:write page:burn' },
    { iss: 'http://127.0.0.1:1' },
    { aud: 'http://127.0.0.1:1' },
    { cnf: { jkt: 'A'.repeat(43) } },
    { exp: 1 },
  ]
  for (const lie of [{}, ...lies, { cnf: undefined }, { scope: '' }]) {
    const send: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      if (!String(input).endsWith('/intent/token')) return answer
      const { access_token } = z.object({ access_token: z.string() }).parse(await answer.json())
      const [header, , signature] = access_token.split('.')
      const payload = Buffer.from(JSON.stringify({ ...decodeJwt(access_token), ...lie })).toString('base64url')
      return Response.json({ access_token: `${header}.${payload}.${signature}` })
    }
    const agent = agentOf(app, host, [api], { fetch: send })
    const isHonest = Object.keys(lie).length === 0
    if (isHonest) assert.match((await agent.headers('GET', api.resource)).authorization ?? '', /^DPoP /)
    else await assert.rejects(agent.headers('GET', api.resource), refusedWith('server_error', 'another_token'))
  }
})

test('who sits between agent and server changes nothing of what is asked for: the proof names the request', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const send: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/intent/token')) return await fetch(input, init)
    const asked = z.looseObject({}).parse(JSON.parse(String(init?.body)))
    return await fetch(input, { ...init, body: JSON.stringify({ ...asked, requested_scopes: ['page:read'] }) })
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  await assert.rejects(agent.fetch(api.resource), { code: 'invalid_dpop_proof' })
})

/** plan, then write by another agent, which may be handed the task. */
async function givenFlow(own: TestApp) {
  const api = await startApi(own)
  const host = await givenHost(own, [api])
  for (const id of ['planner', 'writer']) await givenAgent(own, host.client, id, registered(id))
  await givenWorkflow(own, host.client, 'flow', [
    { step_id: 'plan', agent_id: 'planner', required: true },
    { step_id: 'write', agent_id: 'writer', required: true, dependencies: ['plan'] },
  ])
  const [planner, writer] = ['planner', 'writer'].map(agent_id => agentOf(own, host, [api], { agent_id }))
  if (!planner || !writer) throw new Error('There are two.')
  return { api, host, planner, writer }
}

test('steps of one run use tokens of their own, and the run is learned from its first step', async () => {
  const { api, planner, writer } = await givenFlow(app)
  const execution = createExecution({ workflow_id: 'flow' })
  await assert.rejects(
    writer.run({ execution, workflow_step: 'write' }, async () => assert.fail('nothing is done')),
    OAuthError,
  )
  await planner.run({ execution, workflow_step: 'plan' }, async () => {
    await Promise.all([1, 2, 3].map(() => planner.fetch(api.resource)))
  })
  assert.match(execution.execution_id ?? '', /^exe_/)
  await writer.run({ execution, workflow_step: 'write', scope: ['page:write'] }, async () => {
    await writer.fetch(api.resource)
  })
  const [one, , , last] = api.calls.map(({ claims }) => claims)
  assert.equal(new Set(api.calls.map(({ claims }) => claims.jti)).size, 2)
  assert.deepEqual(
    [one, last].map(claims => [claims?.intent?.workflow_step, claims?.intent?.state, claims?.scope]),
    [
      ['plan', 'recorded', 'page:read page:write'],
      ['write', 'recorded', 'page:write'],
    ],
  )
  assert.equal(last?.intent?.execution_id, execution.execution_id)
})

test('in the work of one agent another key is not for use, unless the task was handed over', async () => {
  const { api, planner, writer } = await givenFlow(app)
  const another = refusedWith('invalid_request', 'another_agents_work')
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async execution => {
    const to = await writer.identity()
    const asked = { resource: api.resource, scope: ['page:read'] }
    for (const use of [
      () => writer.fetch(api.resource),
      () => writer.headers('GET', api.resource),
      () => writer.delegate(to, asked),
      () => writer.fetch('http://127.0.0.1:9/'),
      () => writer.run({}, async () => 'done'),
    ]) {
      await assert.rejects(use(), another)
      await assert.rejects(Promise.resolve().then<unknown>(use), another)
    }
    const handoff = await planner.delegate(to, asked)
    const step = { handoff, ...(execution && { execution }), scope: ['page:read'] }
    await writer.run(step, async () => {
      assert.equal((await writer.fetch(api.resource)).status, 200)
      await assert.rejects(planner.fetch(api.resource), another)
    })
    assert.equal((await planner.fetch(api.resource)).status, 200)
  })
  const [delegated, own] = api.calls.map(({ claims }) => claims)
  assert.equal(delegated?.sub, planner.sub)
  assert.deepEqual(delegated?.act, { sub: writer.sub, sub_profile: 'ai_agent' })
  assert.equal(own?.act, undefined)
})

test('a handoff that nobody signed, or another key, opens no other agent; and its limits are not left', async () => {
  const { api, planner, writer } = await givenFlow(app)
  const asked = { resource: api.resource, scope: ['page:read'] }
  const stranger = await generateKey()
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () => {
    const handoff = await planner.delegate(await writer.identity(), asked)
    const [, payload = ''] = handoff.delegation_assertion.split('.')
    const unsigned = { delegation_assertion: `${handoff.delegation_assertion.split('.').slice(0, 2).join('.')}.AAAA` }
    await assert.rejects(
      writer.run({ handoff: unsigned }, async () => assert.fail()),
      { code: 'delegation_unauthorized' },
    )
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const header = { typ: 'delegation+jwt', alg: 'ES256', jwk: stranger.jwk }
    const forged = { delegation_assertion: await signJws(stranger, header, claims) }
    const another = refusedWith('invalid_request', 'another_agents_work')
    await assert.rejects(
      writer.run({ handoff: forged }, async () => assert.fail()),
      another,
    )
    await writer.run({ handoff, scope: ['page:read'] }, async () => {
      await assert.rejects(
        writer.run({ scope: ['page:write'] }, async () => assert.fail()),
        { code: 'invalid_scope' },
      )
      await writer.run({ workflow_step: 'plan', scope: ['page:read'] }, async () => await writer.fetch(api.resource))
    })
  })
  assert.deepEqual(
    api.calls.map(({ claims }) => [claims.sub, claims.act?.sub]),
    [[planner.sub, writer.sub]],
  )
})

test('a handoff is plain JSON for one delegate: another cannot begin with it', async () => {
  const { api, planner, writer } = await givenFlow(app)
  const to = await writer.identity()
  const sent = await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () =>
    JSON.stringify(
      await planner.delegate(to, { resource: api.resource, scope: ['page:write'], workflow_step: 'write' }),
    ),
  )
  const handoff = JSON.parse(sent)
  await assert.rejects(
    planner.run({ handoff }, async () => undefined),
    refusedWith('invalid_request', 'handoff_of_another'),
  )
  await writer.run({ handoff, scope: ['page:write'] }, async () => await writer.fetch(api.resource))
  const claims = api.calls.at(-1)?.claims
  assert.equal(claims?.intent?.workflow_step, 'write')
  assert.equal(claims?.sub, planner.sub)
})

test('200 agents of one process mint at once, each its own token by its own key', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const ids = Array.from({ length: 200 }, (_, n) => `agent-${n}`)
  for (const id of ids) await givenAgent(app, host.client, id, registered(id))
  const agents = ids.map(agent_id => agentOf(app, host, [api], { agent_id }))
  const answers = await Promise.all(
    agents.map(agent => agent.run({}, async () => (await agent.fetch(`${api.resource}/${agent.agent_id}`)).json())),
  )
  assert.deepEqual(
    answers,
    agents.map(({ sub }) => ({ sub })),
  )
  assert.equal(new Set(api.calls.map(({ proof }) => proof?.jkt)).size, 200)
})
