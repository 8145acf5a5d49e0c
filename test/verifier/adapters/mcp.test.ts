import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intentOf, protectMcp } from '../../../src/verifier/adapters/mcp.ts'
import { startTestApp } from '../../support/app.ts'
import { jsonOf } from '../../support/json-of.ts'
import { givenWorkflow, mint } from '../../support/recorded.ts'
import { boundHeaders, given, listening } from './issued.ts'
import { boundFetch, connected, givenMcp, type McpWorld, tokenFor } from './mcp-world.ts'

const app = await startTestApp()
const RULES = {
  otherwise: { scope: ['mcp'] },
  rules: { read_file: { scope: ['read'] }, write_file: { scope: ['write'], boundBody: true } },
}
const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

const called = (name: unknown, args: object = { path: '/a' }, id = 1) => ({
  ...{ jsonrpc: '2.0', id, method: 'tools/call' },
  params: { name, arguments: args },
})

async function post(world: McpWorld, token: string, body: unknown): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return await boundFetch(app, world, token)(world.url, { method: 'POST', headers: HEADERS, body: text })
}

/** Told and answered, and no tool ran. */
async function refused(world: McpWorld, token: string, body: unknown, status: number, reason: string): Promise<void> {
  world.refusals.length = 0
  const before = world.calls.length
  const answer = await post(world, token, body)
  assert.deepEqual([answer.status, world.refusals.map(refusal => refusal.reason)], [status, [reason]])
  assert.equal(world.calls.length, before)
}

for (const how of ['transport', 'handler'] as const) {
  test(`a client of the SDK calls the tools that its token allows, and they know who calls (${how})`, async () => {
    const world = await givenMcp(app, how, () => RULES)
    const { client_id } = world.client
    const client = await connected(app, world, await tokenFor(app, world, { scope: 'mcp read' }))
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map(({ name }) => name).sort(), ['delete_file', 'read_file', 'write_file'])
    const { content } = await client.callTool({ name: 'read_file', arguments: { path: '/a' } })
    assert.deepEqual(content, [{ type: 'text', text: `/a for ${client_id}` }])
    await assert.rejects(client.callTool({ name: 'write_file', arguments: { path: '/a' } }))
    await assert.rejects(client.callTool({ name: 'delete_file', arguments: { path: '/a' } }))
    await client.close()
    assert.deepEqual(world.calls, [`read_file agent:${client_id}:worker`])
    assert.deepEqual(
      world.refusals.map(({ reason, client_id: whose }) => [reason, whose === client_id]),
      [
        ['rule_scope', true],
        ['tool_without_rule', true],
      ],
    )
  })
}

const world = await givenMcp(app, 'transport', () => RULES)

test('a client without a token is led to the document and from it to the issuer (RFC 9728 section 5)', async () => {
  const answer = await fetch(world.url, { method: 'POST', headers: HEADERS, body: '{}' })
  assert.equal(answer.status, 401)
  const [, metadata = ''] = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '') ?? []
  assert.equal(metadata, world.url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp'))
  const document = await jsonOf(await fetch(metadata))
  assert.deepEqual([document.resource, document.authorization_servers], [world.url, [app.issuer]])
})

test('a missing scope is named: that of the tool, not of the protocol (RFC 6750 section 3.1)', async () => {
  const answer = await post(world, await tokenFor(app, world, { scope: 'mcp' }), called('read_file'))
  assert.equal(answer.status, 403)
  assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP error="insufficient_scope".* scope="read"/)
})

test('the rule of the rest holds for every other message, and for a request without one', async () => {
  const token = await tokenFor(app, world, { scope: 'read write' })
  for (const method of ['initialize', 'tools/list', 'ping', 'resources/read', 'notifications/initialized']) {
    await refused(world, token, { jsonrpc: '2.0', id: 1, method }, 403, 'rule_scope')
  }
  await refused(world, token, { jsonrpc: '2.0', id: 1, result: {} }, 403, 'rule_scope')
  const stream = await boundFetch(app, world, token)(world.url, { headers: HEADERS })
  assert.equal(stream.status, 403)
})

test('a name that is no tool of the rules opens nothing, whatever objects have by birth', async () => {
  const token = await tokenFor(app, world)
  for (const name of ['delete_file', 'READ_FILE', 'read_file ', 'constructor', 'toString', '__proto__', '']) {
    await refused(world, token, called(name), 403, 'tool_without_rule')
  }
  for (const name of [null, 7, ['read_file'], undefined]) {
    await refused(world, token, called(name), 400, 'mcp_message')
  }
})

test('of a batch every message must pass, and its one proof is enough (RFC 9449 section 11.1)', async () => {
  const token = await tokenFor(app, world)
  const mayOnlyRead = await tokenFor(app, world, { scope: 'mcp read' })
  const read = called('read_file', { path: '/a' }, 1)
  const write = called('write_file', { path: '/b' }, 2)
  const before = world.calls.length
  assert.equal((await post(world, token, [read, write])).status, 200)
  assert.equal(world.calls.length, before + 2)
  await refused(world, mayOnlyRead, [read, write], 403, 'rule_scope')
  await refused(world, token, [read, called('delete_file')], 403, 'tool_without_rule')
  await refused(world, token, [called('delete_file'), read], 403, 'tool_without_rule')
  await refused(world, token, [read, 'ping'], 400, 'mcp_message')
  await refused(world, token, [], 400, 'mcp_message')
  await refused(
    world,
    token,
    Array.from({ length: 101 }, () => read),
    400,
    'mcp_message',
  )
})

test('what two parsers could read differently is refused (RFC 7493)', async () => {
  const token = await tokenFor(app, world)
  const twice = '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"delete_file"}}'
  await refused(world, token, twice, 400, 'json_duplicate_member')
  await refused(world, token, '{"jsonrpc":', 400, 'json_malformed')
})

test('[attack 126] the proof of a tool with boundBody names the body that came (section 8)', async () => {
  const token = await tokenFor(app, world)
  const swap = boundFetch(app, world, token)
  assert.equal((await post(world, token, called('write_file'))).status, 200)
  world.refusals.length = 0
  const sent = Buffer.from(JSON.stringify(called('write_file')))
  // Not a string: the proof of this fetch names none.
  assert.equal((await swap(world.url, { method: 'POST', headers: HEADERS, body: sent })).status, 401)
  assert.deepEqual(
    world.refusals.map(({ reason }) => reason),
    ['bd_missing'],
  )
})

test('an approval is of the arguments of the tool, not of the message around them (section 8)', async () => {
  const guarded = await givenMcp(app, 'transport', client_id => ({
    otherwise: {},
    rules: { write_file: { client_id, workflow_id: 'flow', workflow_step: 'write', approval: 'json-body' } },
  }))
  const { client, agent } = guarded
  await givenWorkflow(app, client, 'flow', [
    { step_id: 'plan', agent_id: 'worker', repeatable: true },
    { step_id: 'gate', approval_gate: true, required: true },
    { step_id: 'write', agent_id: 'worker', requires_approval: true, repeatable: true },
  ])
  const approved = { path: '/a', text: 'hello' }
  const flow = { resource: guarded.url, scope: 'write', workflow_id: 'flow' }
  const { execution_id } = (await mint(app, client, agent, { ...flow, step: 'plan' })).body
  const ask = { ...flow, step: 'write', execution_id: String(execution_id), arguments: approved }
  const waits = await mint(app, client, agent, ask)
  await app.ctx.db
    .updateTable('approval')
    .set({ status: 'granted', decided_at: app.ctx.now(), decided_by: 'eve', decided_owner: 'user:local:eve' })
    .where('approval_id', '=', String(waits.body.approval_id))
    .execute()
  const token = await tokenFor(app, guarded, ask)
  const turned = { text: 'hello', path: '/a' }
  assert.equal((await post(guarded, token, called('write_file', turned))).status, 200)
  assert.equal(guarded.calls.length, 1)
  await refused(guarded, token, called('write_file', { ...approved, text: 'bye' }), 403, 'approval_other_body')
  const hidden = { ...called('write_file', { path: '/etc/passwd', text: 'x' }), arguments: approved }
  await refused(guarded, token, hidden, 403, 'approval_other_body')
  await refused(guarded, token, [called('write_file', approved), called('write_file', {})], 403, 'approval_other_body')
  const { arguments: _, ...plan } = { ...ask, step: 'plan' }
  await refused(guarded, await tokenFor(app, guarded, plan), called('write_file', approved), 403, 'rule_step')
})

test('the handler is given the JSON that was judged, and nothing where there was none', async () => {
  const { options } = given()
  const bodies: unknown[] = []
  const guard = protectMcp({ ...options, otherwise: {}, rules: {} })
  const url = await listening(
    guard((_request, response, body) => {
      bodies.push(body)
      response.end()
    }),
  )
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  const headers = await boundHeaders({ method: 'POST', path: '/v1' })
  await fetch(`${url}/v1`, { method: 'POST', headers: { ...HEADERS, ...headers }, body: JSON.stringify(ping) })
  await fetch(`${url}/v1`, { headers: await boundHeaders({ path: '/v1' }) })
  assert.deepEqual(bodies, [ping, undefined])
})

test('[attack 126] a POST without a body, and one that does not say that it is JSON in UTF-8, reach no handler', async () => {
  const { options, told } = given()
  const guard = protectMcp({ ...options, otherwise: {}, rules: {} })
  const url = await listening(guard(() => assert.fail('It was let pass.')))
  const status = async (body: string, headers: Record<string, string>) => {
    const bound = await boundHeaders({ method: 'POST', path: '/v1' })
    return (await fetch(`${url}/v1`, { method: 'POST', body, headers: { ...HEADERS, ...bound, ...headers } })).status
  }
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  assert.equal(await status('', {}), 400)
  assert.equal(await status(ping, { 'content-type': 'text/plain' }), 415)
  assert.equal(await status(ping, { 'content-type': 'application/json; charset=utf-16le' }), 415)
  assert.equal(await status(ping, { 'content-encoding': 'gzip' }), 415)
  assert.deepEqual(
    told.refusals.map(({ reason }) => reason),
    ['json_malformed', 'body_no_json_type', 'body_charset', 'body_encoded'],
  )
})

test('a rule that says what cannot be stops the start; whoever asks for a stranger is told', () => {
  assert.throws(() => protectMcp({ ...given().options, otherwise: {}, rules: { a: { agent_id: 'x' } } }), TypeError)
  assert.throws(() => intentOf({}), /No guard/)
  assert.throws(() => intentOf(undefined), /No guard/)
})
