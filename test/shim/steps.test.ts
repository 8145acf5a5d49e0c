import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, exportJWK } from 'jose'
import { clientCreateSchema } from '../../src/protocol/client.ts'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { AGENT_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { createClient } from '../../src/server/registry/clients.ts'
import { createExecution } from '../../src/shim/execution.ts'
import { memoryKeyStore } from '../../src/shim/memory-key-store.ts'
import { caller } from '../registry/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { givenAgent } from '../support/given.ts'
import { givenWorkflow } from '../support/recorded.ts'
import { FOREIGN, foreignToken, givenTrustedIssuer, ID_TOKEN_TYPE } from '../token/foreign.ts'
import { agentOf, givenHost, PROMPT, SCOPE, startApi } from './setting.ts'

const app = await startTestApp()

const registered = (agent_id: string) => ({
  agent_components: { agent_id, prompt_template: PROMPT, tools: [], configuration: {} },
  public_key: undefined,
})

/** Three agents, and a workflow of two first steps, one after them, and one that somebody must approve. */
async function givenFlow() {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const ids = ['planner', 'writer', 'helper']
  for (const id of ids) await givenAgent(app, host.client, id, registered(id))
  await givenWorkflow(app, host.client, 'flow', [
    { step_id: 'plan', agent_id: 'planner', required: true },
    { step_id: 'look', agent_id: 'planner' },
    { step_id: 'write', agent_id: 'writer', dependencies: ['plan'] },
    { step_id: 'gate', approval_gate: true, required: true, dependencies: ['plan'] },
    { step_id: 'apply', agent_id: 'writer', requires_approval: true, dependencies: ['gate'] },
  ])
  const [planner, writer, helper] = ids.map(agent_id => agentOf(app, host, [api], { agent_id }))
  if (!planner || !writer || !helper) throw new Error('There are three.')
  return { api, host, planner, writer, helper }
}

async function grant(approval_id: string): Promise<void> {
  await app.ctx.db
    .updateTable('approval')
    .set({ status: 'granted', decided_at: app.ctx.now(), decided_by: 'eve', decided_owner: 'user:local:eve' })
    .where('approval_id', '=', approval_id)
    .execute()
}

test('two first steps that begin at once make one run', async () => {
  const { api, planner } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  await Promise.all(
    ['plan', 'look'].map(workflow_step =>
      planner.run({ execution, workflow_step }, async () => await planner.fetch(api.resource)),
    ),
  )
  const runs = api.calls.map(({ claims }) => claims.intent?.execution_id)
  assert.deepEqual(runs, [execution.execution_id, execution.execution_id])
})

test('a run whose first mint was refused is opened by the next', async () => {
  const { planner } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  const bad = planner.run({ execution, workflow_step: 'plan', scope: ['page:burn'] }, async () => undefined)
  const good = planner.run({ execution, workflow_step: 'plan' }, async () => undefined)
  await assert.rejects(bad, { code: 'invalid_scope' })
  await good
  assert.match(execution.execution_id ?? '', /^exe_/)
})

test('no token of before a change is used in a run either', async () => {
  const { api, planner } = await givenFlow()
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () => {
    await planner.fetch(api.resource)
    planner.changed()
    await planner.fetch(api.resource)
  })
  const [before, after] = api.calls.map(({ claims }) => claims)
  assert.notEqual(before?.jti, after?.jti)
  assert.equal(before?.intent?.execution_id, after?.intent?.execution_id)
})

test('other arguments are another mint; a step that waits for approval says so, or waits (section 6)', async () => {
  const { api, host, planner, writer } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  await planner.run({ execution, workflow_step: 'plan' }, async () => undefined)
  const apply = { execution, workflow_step: 'apply', arguments: { page: 7 } }
  const nothing = async () => assert.fail('nothing is done before somebody approves')
  const refused = await writer.run(apply, nothing).catch((error: unknown) => error)
  assert.ok(refused instanceof OAuthError)
  assert.equal(refused.details.ajwt_error, 'approval_pending')
  assert.match(refused.details.request_id ?? '', /^[\w-]+$/)
  const approval_id = refused.details.approval_id ?? ''
  let refusals = 0
  const send: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init)
    if (answer.status === 403) {
      refusals += 1
      await grant(approval_id)
    }
    return answer
  }
  const patient = agentOf(app, host, [api], { agent_id: 'writer', fetch: send })
  await patient.run({ ...apply, approvalWait: 60 }, async () => await patient.fetch(api.resource))
  assert.equal(refusals, 1)
  assert.equal(api.calls.at(-1)?.claims.intent?.approval?.id, approval_id)
  const other = await patient.run({ ...apply, arguments: { page: 8 } }, nothing).catch((error: unknown) => error)
  assert.ok(other instanceof OAuthError)
  assert.notEqual(other.details.approval_id, approval_id)
})

test('only a pending approval is waited for: what is refused for good is refused at once', async () => {
  const { planner } = await givenFlow()
  const step = { workflow_id: 'flow', workflow_step: 'plan', scope: ['page:burn'], approvalWait: 3_600 }
  await assert.rejects(
    planner.run(step, async () => undefined),
    { code: 'invalid_scope' },
  )
})

test('a chain of three: each hop names the one before, and ends no later (section 6)', async () => {
  const { api, planner, writer, helper } = await givenFlow()
  const asked = { resource: api.resource, scope: ['page:read'] }
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async execution => {
    if (!execution) throw new Error('There is a run.')
    const first = await planner.delegate(await writer.identity(), { ...asked, expiresIn: 100 })
    await writer.run({ handoff: first, execution, scope: ['page:read'] }, async () => {
      const second = await writer.delegate(await helper.identity(), { ...asked, expiresIn: 500 })
      await helper.run({ handoff: second, execution, scope: ['page:read'] }, async () => {
        assert.equal((await helper.fetch(api.resource)).status, 200)
      })
    })
  })
  const claims = api.calls.at(-1)?.claims
  assert.equal(claims?.sub, planner.sub)
  const act = { sub: helper.sub, sub_profile: 'ai_agent', act: { sub: writer.sub, sub_profile: 'ai_agent' } }
  assert.deepEqual(claims?.act, act)
  assert.equal((claims?.exp ?? 0) - app.clock.seconds(), 100)
})

test('each handoff has tokens of its own: what one task was given serves no other', async () => {
  const { api, planner, writer } = await givenFlow()
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () => {
    const to = await writer.identity()
    for (const _task of [1, 2]) {
      const handoff = await planner.delegate(to, { resource: api.resource, scope: ['page:read'] })
      await writer.run({ handoff }, async () => await writer.fetch(api.resource))
    }
  })
  assert.equal(new Set(api.calls.map(({ claims }) => claims.jti)).size, 2)
  assert.deepEqual(
    api.calls.map(({ scope }) => scope),
    [['page:read'], ['page:read']],
    'unless told, no more is asked than was handed over',
  )
})

test('work within a task asks for no more than the task, and waits in its step, not outside it', async () => {
  const { api, planner, writer } = await givenFlow()
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () => {
    const handoff = await planner.delegate(await writer.identity(), { resource: api.resource, scope: ['page:read'] })
    await writer.run({ handoff }, async () => {
      await writer.run({ workflow_step: 'plan' }, async () => await writer.fetch(api.resource))
    })
    await planner.run({ scope: ['page:read'] }, async () => {
      await planner.run({ approvalWait: 5 }, async () => await planner.fetch(api.resource))
      await planner.run({ workflow_step: 'plan' }, async () => await planner.fetch(api.resource))
    })
    const lone = planner.run({ subject_token: 'a.b.c' }, async () => undefined)
    await assert.rejects(lone, { reason: 'half_a_step' })
  })
  const seen = api.calls.map(({ claims }) => [claims.intent?.executed_by, claims.intent?.workflow_step, claims.scope])
  assert.deepEqual(seen, [
    ['writer', 'plan', 'page:read'],
    ['planner', 'plan', 'page:read'],
    ['planner', 'plan', 'page:read'],
  ])
})

test('a wait that is no number is no wait', async () => {
  const { planner, writer } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  await planner.run({ execution, workflow_step: 'plan' }, async () => undefined)
  const apply = { execution, workflow_step: 'apply', arguments: { page: 7 }, approvalWait: Number.NaN }
  await assert.rejects(
    writer.run(apply, async () => undefined),
    { code: 'workflow_step_unauthorized' },
  )
})

test('a server that always asks for another nonce is asked twice', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  let asked = 0
  const send: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/intent/token')) return await fetch(input, init)
    asked += 1
    const body = { error: 'use_dpop_nonce', error_description: 'Another.' }
    return Response.json(body, { status: 400, headers: { 'dpop-nonce': `n${asked}` } })
  }
  await assert.rejects(agentOf(app, host, [api], { fetch: send }).fetch(api.resource), { code: 'use_dpop_nonce' })
  assert.equal(asked, 2)
})

test('a step that is half named, or of another run than its handoff, is refused before anything is asked', async () => {
  const { api, planner, writer } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  const half = { code: 'invalid_request', reason: 'half_a_step' }
  const other = { code: 'invalid_request', reason: 'step_disagrees' }
  const work = async () => assert.fail('nothing is done')
  await assert.rejects(planner.run({ workflow_step: 'plan' }, work), half)
  await assert.rejects(planner.run({ workflow_id: 'flow' }, work), half)
  await assert.rejects(planner.run({ execution, workflow_id: 'other', workflow_step: 'plan' }, work), other)
  await assert.rejects(planner.run({ arguments: { page: 7 } }, work), half)
  const asked = { resource: api.resource, scope: ['page:read'], workflow_step: 'write' }
  const handoff = await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () =>
    planner.delegate(await writer.identity(), asked),
  )
  const elsewhere = createExecution({ workflow_id: 'flow', execution_id: 'exe_AAAAAAAAAAAAAAAAAAAAAA' })
  await assert.rejects(writer.run({ handoff, execution: elsewhere }, work), other)
})

test('work within work stays in its run, and in its step unless it names another', async () => {
  const { api, planner, writer } = await givenFlow()
  await planner.run({ workflow_id: 'flow', workflow_step: 'plan' }, async execution => {
    await planner.run({ scope: ['page:read'] }, async () => await planner.fetch(api.resource))
    const asked = { resource: api.resource, scope: ['page:read'] }
    const handoff = await planner.delegate(await writer.identity(), asked)
    await writer.run({ handoff, scope: ['page:read'] }, async inner => assert.equal(inner, execution))
    await planner.run({ workflow_step: 'look' }, async inner => {
      assert.equal(inner, execution)
      await planner.fetch(api.resource)
    })
    const own = createExecution({ workflow_id: 'flow' })
    await planner.run({ execution: own, workflow_step: 'plan' }, async inner => assert.notEqual(inner, execution))
  })
  const seen = api.calls.map(({ claims }) => [claims.intent?.workflow_step, claims.scope])
  assert.deepEqual(seen, [
    ['plan', 'page:read'],
    ['look', 'page:read page:write'],
  ])
  assert.equal(new Set(api.calls.map(({ claims }) => claims.intent?.execution_id)).size, 1)
})

test('the token of a user of a trusted issuer starts a run for that user', async () => {
  const { api, host, planner } = await givenFlow()
  const key = await generateKey()
  await givenTrustedIssuer(app, key, { name: 'corp', clients: [host.client.client_id] })
  const subject_token = await foreignToken(app, key)
  const step = { workflow_id: 'flow', workflow_step: 'plan', subject_token, subject_token_type: ID_TOKEN_TYPE }
  await planner.run(step, async () => await planner.fetch(api.resource))
  assert.equal(FOREIGN, 'https://idp.example.com')
  assert.equal(api.calls.at(-1)?.claims.sub, 'user:corp:42')
})

test('a registered key from a store serves a client that has only a secret; without one it is said why not', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const agent = await givenAgent(app, host.client, 'pager', { agent_components: registered('pager').agent_components })
  const stored = await exportJWK(agent.key.privateKey)
  const holder = agentOf(app, host, [api], { keyStore: memoryKeyStore(stored) })
  assert.equal((await holder.fetch(api.resource)).status, 200)
  assert.equal(api.calls[0]?.claims.agent_proof?.key, 'registered')
  const client = { client_id: host.client.client_id, client_secret: 'secret' }
  const endorsed = agentOf(app, host, [api], { client })
  await assert.rejects(endorsed.fetch(api.resource), { reason: 'no_endorsing_key' })
})

for (const token_endpoint_auth_method of ['client_secret_basic', 'client_secret_post'] as const) {
  test(`a client with a secret mints by ${token_endpoint_auth_method}, its registered method`, async () => {
    const api = await startApi(app)
    const access = [
      { resource: app.issuer, scope: 'generate:intent-token register:intent' },
      { resource: api.resource, scope: SCOPE },
    ]
    const body = clientCreateSchema.parse({
      ...{ client_id: token_endpoint_auth_method, client_name: 'Secret', owner: 'user:local:anna', kind: 'app' },
      ...{ token_endpoint_auth_method, grant_types: [AGENT_GRANT], access, policies: { default_grant: 'client' } },
    })
    const created = await transaction(app.ctx, tx => createClient(tx, caller(), body))
    const { client_id, client_secret = '' } = created.body
    const own = { client_id, key: await generateKey(), dpopKey: await generateKey() }
    const made = await givenAgent(app, own, 'pager', { agent_components: registered('pager').agent_components })
    const keyStore = memoryKeyStore(await exportJWK(made.key.privateKey))
    const client = { client_id, client_secret, token_endpoint_auth_method }
    const host = { client: own, key: {} }
    assert.equal((await agentOf(app, host, [api], { client, keyStore }).fetch(api.resource)).status, 200)
  })
}

test('a key in memory is vouched for anew before its statement ends', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const agent = agentOf(app, host, [api])
  for (const seconds of [0, 3_400, 3_400]) {
    app.clock.advance(seconds)
    assert.equal((await agent.fetch(api.resource)).status, 200)
  }
})

test('a token that the API refuses is not used again', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  let isRefusing = false
  const headers = { 'www-authenticate': '' }
  const send: typeof fetch = async (input, init) =>
    isRefusing && String(input).startsWith(api.resource)
      ? new Response(null, { status: 401, headers })
      : await fetch(input, init)
  const agent = agentOf(app, host, [api], { fetch: send })
  await agent.fetch(api.resource)
  const tokens = () => new Set(api.calls.map(({ claims }) => claims.jti)).size
  for (const [challenge, expected] of [
    ['revocation_unknown', 1],
    ['invalid_token', 2],
  ] as const) {
    headers['www-authenticate'] = `DPoP error="${challenge}"`
    isRefusing = true
    assert.equal((await agent.fetch(api.resource)).status, 401)
    isRefusing = false
    await agent.fetch(api.resource)
    assert.equal(tokens(), expected, 'only a token that is said to be bad costs a mint')
  }
})

test('a change while a token is on its way is not overtaken by it', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  let prompt = PROMPT
  const send: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init)
    if (String(input).endsWith('/intent/token') && answer.ok) {
      prompt = 'You delete pages.'
      agent.changed()
    }
    return answer
  }
  const agent = agentOf(app, host, [api], { fetch: send, prompt: () => prompt })
  await assert.rejects(agent.fetch(api.resource), { code: 'agent_checksum_mismatch' })
  assert.deepEqual(api.calls, [])
})

test('an API is named as it is in access, also one that is served elsewhere than at its name', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const agent = agentOf(app, host, [api], {
    access: [{ resource: api.resource, scope: ['page:read'], url: `${api.resource}/v2` }],
  })
  await agent.run({ resource: api.resource }, async () => await agent.fetch(`${api.resource}/v2/pages`))
  assert.equal(api.calls.length, 1)
  const unknown = { code: 'invalid_target', reason: 'unknown_api' }
  await assert.rejects(
    agent.run({ resource: `${api.resource}/v2` }, async () => undefined),
    unknown,
  )
  const to = await agent.identity()
  await assert.rejects(agent.delegate(to, { resource: 'https://other.example', scope: ['page:read'] }), unknown)
})

test('an API that refuses every token costs one further mint in the life of a token, not one a call', async () => {
  const { api, host } = await givenFlow()
  let mints = 0
  const headers = { 'www-authenticate': 'DPoP error="invalid_token"' }
  const send: typeof fetch = async (input, init) => {
    if (String(input).endsWith('/intent/token')) mints += 1
    return String(input).startsWith(api.resource)
      ? new Response(null, { status: 401, headers })
      : await fetch(input, init)
  }
  const agent = agentOf(app, host, [api], { agent_id: 'planner', fetch: send })
  await agent.run({ workflow_id: 'flow', workflow_step: 'plan' }, async () => {
    for (let call = 0; call < 20; call += 1) await agent.fetch(api.resource)
  })
  assert.equal(mints, 2)
})

test('a nonce that can stand in no proof is not taken, and one that spoils proofs is given up', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const answers = ['', 'a b', 'x'.repeat(300), 'good', undefined, undefined]
  const nonces: unknown[] = []
  const send: typeof fetch = async (input, init) => {
    if (!String(input).startsWith(api.resource)) return await fetch(input, init)
    nonces.push(decodeJwt(new Headers(init?.headers).get('dpop') ?? '').nonce)
    const nonce = answers[nonces.length - 1]
    if (nonce !== undefined) return new Response(null, { headers: { 'dpop-nonce': nonce } })
    return new Response(null, { status: 401, headers: { 'www-authenticate': 'DPoP error="invalid_dpop_proof"' } })
  }
  const agent = agentOf(app, host, [api], { fetch: send })
  for (const _answer of answers) await agent.fetch(api.resource)
  assert.deepEqual(nonces, [undefined, undefined, undefined, undefined, 'good', undefined])
})

test('what is asked for is what was said when the step began, whatever becomes of the object', async () => {
  const { planner, writer } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  await planner.run({ execution, workflow_step: 'plan' }, async () => undefined)
  const changing = { page: 1 }
  const begun = writer.run({ execution, workflow_step: 'apply', arguments: changing }, async () => undefined)
  changing.page = 666
  await assert.rejects(begun, OAuthError)
  const rows = await app.ctx.db
    .selectFrom('approval')
    .select('arguments_digest')
    .where('execution_id', '=', execution.execution_id ?? '')
    .execute()
  assert.deepEqual(rows, [{ arguments_digest: sha256Base64url('{"page":1}') }])
})

test('who is not willing to wait for an approval does not wait behind somebody who is', async () => {
  const { planner, writer } = await givenFlow()
  const execution = createExecution({ workflow_id: 'flow' })
  await planner.run({ execution, workflow_step: 'plan' }, async () => undefined)
  const apply = { execution, workflow_step: 'apply', arguments: { page: 7 } }
  let isOver = false
  const patient = writer
    .run({ ...apply, approvalWait: 3 }, async () => undefined)
    .finally(() => {
      isOver = true
    })
  const hurried = writer.run(apply, async () => undefined)
  await assert.rejects(hurried, OAuthError)
  assert.equal(isOver, false)
  await assert.rejects(patient, OAuthError)
})

test('the server may say 64 KB and no more', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const send: typeof fetch = async () => new Response(JSON.stringify({ issuer: app.issuer, more: 'x'.repeat(70_000) }))
  await assert.rejects(agentOf(app, host, [api], { fetch: send }).fetch(api.resource), { reason: 'issuer_unavailable' })
})

test('what is called is what was judged: no object that changes its mind takes a token elsewhere', async () => {
  const [api, other] = [await startApi(app), await startApi(app)]
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  const agent = agentOf(app, host, [api])
  const request = new Request(`${other.resource}/pages`)
  Object.defineProperty(request, 'url', { value: `${api.resource}/pages` })
  await assert.rejects(agent.fetch(request), { reason: 'url_of_no_api' })
  assert.deepEqual([api.calls, other.calls, other.refused], [[], [], []])
})

test('two APIs that no URL tells apart, or one without a URL, are refused at the start', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const scope = ['page:read']
  for (const names of [
    [`${api.resource}?t=1`, `${api.resource}?t=2`],
    ['urn:example:pages'],
    [api.resource, `${api.resource}/`],
  ]) {
    const access = names.map(resource => ({ resource, scope }))
    assert.throws(() => agentOf(app, host, [api], { access }), { reason: 'api_url' })
  }
})

test('a server that is busy is asked again when it says, and its metadata once for all agents', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  await givenAgent(app, host.client, 'pager', registered('pager'))
  let busy = 3
  let discoveries = 0
  const send: typeof fetch = async (input, init) => {
    if (String(input).includes('.well-known')) discoveries += 1
    if (!String(input).endsWith('/intent/token') || busy === 0) return await fetch(input, init)
    busy -= 1
    const body = { error: 'temporarily_unavailable', error_description: 'Later.' }
    return Response.json(body, { status: 503, headers: { 'retry-after': '0' } })
  }
  const agents = [1, 2, 3].map(() => agentOf(app, host, [api], { fetch: send }))
  for (const agent of agents) assert.equal((await agent.fetch(api.resource)).status, 200)
  assert.deepEqual([busy, discoveries], [0, 1])
  busy = 4
  await assert.rejects(agentOf(app, host, [api], { fetch: send }).fetch(api.resource), {
    code: 'temporarily_unavailable',
  })
})
