import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { policiesSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT } from '../../src/protocol/grant-types.ts'
import { findAgent } from '../../src/server/store/agents.ts'
import { readAgents } from '../../src/server/store/records.ts'
import { lapseOf } from '../../src/server/store/standing.ts'
import { startTestApp } from '../support/app.ts'
import { signAssertion, signProof, type TestKey } from '../support/dpop.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAgent,
  givenClient,
  givenResource,
} from '../support/given.ts'
import { validRegistrations } from '../support/valid-registrations.ts'
import { APPROVER, agentBody, approve, caller, register as registerVersion } from './given.ts'

const CRM = 'https://crm.example/api'
const DRAIN = 120

const app = await startTestApp()
const { issuer, clock, ctx } = app
await givenResource(app, { resource: CRM, scopes: [{ name: 'read' }] })
const access = [
  { resource: issuer, scope: 'generate:intent-token register:intent' },
  { resource: CRM, scope: 'read' },
]
const client = await givenClient(app, { access, policies: { default_grant: 'client' } })

type Process = { readonly agent_id: string; readonly key: TestKey; readonly checksum: string }

/** One mint of one process over HTTP: `minted`, or the code of the refusal. */
async function mint({ agent_id, key, checksum }: Process, by: GivenClient = client): Promise<string> {
  const iat = clock.seconds()
  const htu = `${issuer}/oauth/token`
  const body = new URLSearchParams({
    grant_type: AGENT_GRANT,
    agent_id,
    computed_checksum: `sha256:${checksum}`,
    scope: 'read',
    resource: CRM,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(by.key, { client_id: by.client_id, issuer, iat }),
  })
  const response = await fetch(htu, { method: 'POST', headers: { dpop: await signProof(key, { htu, iat }) }, body })
  const answer = JSON.parse(await response.text())
  return response.status === 200 ? 'minted' : (answer.ajwt_error ?? answer.error)
}

async function register(agent_id: string, prompt_template: string, drain_seconds: number) {
  const token = await accessToken(app, client, { resource: issuer, scope: 'register:intent' })
  const url = `${issuer}/intent/register/agent`
  const headers = {
    ...(await boundHeaders(app, client, token, { method: 'POST', url })),
    'content-type': 'application/json',
  }
  const agent_components = { agent_id, prompt_template, tools: [] }
  const body = JSON.stringify({ app_id: client.client_id, agent_components, drain_seconds })
  const response = await fetch(url, { method: 'POST', headers, body })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

async function statusesOf(agent_id: string, client_id = client.client_id): Promise<string[]> {
  const rows = await ctx.db
    .selectFrom('registration')
    .select(['version', 'status', 'drains_until'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .orderBy('version')
    .execute()
  const until = (date: Date | null) => (date ? ` ${date.getTime() / 1000 - clock.seconds()}` : '')
  return rows.map(row => `${row.version} ${row.status}${until(row.drains_until)}`)
}

async function process(): Promise<Process> {
  return await givenAgent(app, client, `agent-${randomUUID().slice(0, 8)}`)
}

test('a prompt changes under two processes and no mint is refused until the drain ends, to the second (section 4)', async () => {
  const old = await process()
  assert.equal(await mint(old), 'minted')
  // While the new version is being registered, the old process goes on.
  const [registered, ...during] = await Promise.all([
    register(old.agent_id, 'Be kind.', DRAIN),
    ...Array.from({ length: 8 }, () => mint(old)),
  ])
  assert.deepEqual([registered.status, registered.body.version, registered.body.status], [200, 2, 'active'])
  assert.deepEqual(new Set(during), new Set(['minted']))
  const next = { ...old, checksum: registered.body.checksum }
  assert.deepEqual(await statusesOf(old.agent_id), [`1 draining ${DRAIN}`, '2 active'])
  const begun = clock.seconds()
  for (const second of [0, 1, 10, 30, 60, 90, 110, 119]) {
    clock.advance(begun + second - clock.seconds())
    assert.deepEqual([second, await mint(old), await mint(next)], [second, 'minted', 'minted'])
  }
  clock.advance(1)
  assert.deepEqual([await mint(old), await mint(next)], ['agent_checksum_mismatch', 'minted'])
  clock.advance(1)
  assert.deepEqual([await mint(old), await mint(next)], ['agent_checksum_mismatch', 'minted'])
})

test('without drain_seconds the older version ends at once (section 4)', async () => {
  const old = await process()
  const { body } = await register(old.agent_id, 'Be kind.', 0)
  assert.deepEqual(await statusesOf(old.agent_id), ['1 retired', '2 active'])
  assert.deepEqual(
    [await mint(old), await mint({ ...old, checksum: body.checksum })],
    ['agent_checksum_mismatch', 'minted'],
  )
})

test('an older version that drains keeps its own time when a third comes (section 4)', async () => {
  const first = await process()
  const second = { ...first, checksum: (await register(first.agent_id, 'Two.', 100)).body.checksum }
  clock.advance(40)
  const third = { ...first, checksum: (await register(first.agent_id, 'Three.', 10)).body.checksum }
  assert.deepEqual(await statusesOf(first.agent_id), ['1 draining 60', '2 draining 10', '3 active'])
  clock.advance(10)
  assert.deepEqual(
    [await mint(first), await mint(second), await mint(third)],
    ['minted', 'agent_checksum_mismatch', 'minted'],
  )
})

test('content that has drained is registered again, content that still drains is a duplicate (section 4)', async () => {
  const old = await process()
  const prompt = `You are ${old.agent_id}.`
  await register(old.agent_id, 'Be kind.', 30)
  clock.advance(29)
  const early = await register(old.agent_id, prompt, 0)
  assert.deepEqual([early.status, early.body.error], [400, 'duplicate_agent'])
  clock.advance(1)
  const back = await register(old.agent_id, prompt, 0)
  assert.deepEqual([back.status, back.body.version, back.body.checksum], [200, 3, old.checksum])
  assert.equal(await mint(old), 'minted')
  assert.deepEqual(
    await statusesOf(old.agent_id),
    ['1 retired -0', '2 retired', '3 active'].map(s => s.replace('-0', '0')),
  )
})

test("a drain is at most the client's max_drain_seconds, and the refusal says so (section 4)", async () => {
  const old = await process()
  const { status, body } = await register(old.agent_id, 'Be kind.', 3601)
  assert.equal(status, 400)
  assert.equal(body.error, 'invalid_request')
  assert.match(body.error_description, /^drain_seconds is too long: .*3600 seconds/)
  assert.deepEqual(await statusesOf(old.agent_id), ['1 active'])
})

test('a pending version drains nothing; its approval lets the older one drain, as long as the policy allows (section 4)', async () => {
  const careful = await givenClient(app, { access, policies: { require_approval: true, max_drain_seconds: 100 } })
  const by = caller({ client_id: careful.client_id, sub: careful.client_id, acting_owner: 'user:local:anna' })
  const { client_id } = careful
  const first = await registerVersion(ctx, by, agentBody(client_id))
  await approve(ctx, APPROVER, client_id, first)
  const second = await registerVersion(ctx, by, agentBody(client_id, { prompt: 'B', drain_seconds: 90 }))
  assert.deepEqual(await statusesOf('planner', client_id), ['1 active', '2 pending'])
  clock.advance(50)
  await approve(ctx, APPROVER, client_id, second)
  assert.deepEqual(await statusesOf('planner', client_id), ['1 draining 90', '2 active'])
  const third = await registerVersion(ctx, by, agentBody(client_id, { prompt: 'C', drain_seconds: 100 }))
  const policies = policiesSchema.parse({ require_approval: true, max_drain_seconds: 60 })
  await ctx.db
    .updateTable('client')
    .set({ policies: JSON.stringify(policies) })
    .where('client_id', '=', client_id)
    .execute()
  await approve(ctx, APPROVER, client_id, third)
  assert.deepEqual(await statusesOf('planner', client_id), ['1 draining 90', '2 draining 60', '3 active'])
})

test('a version that counts has counted, also where a node of the release before did not say so: no grant comes back (section 4)', async () => {
  const old = await process()
  const { client_id } = client
  const { agent_id } = old
  const by = caller({ client_id, sub: client_id, acting_owner: 'user:local:anna' })
  await ctx.db.updateTable('agent').set({ access: '[]' }).where('agent_id', '=', agent_id).execute()
  for (const status of ['active', 'draining'] as const) {
    const named = ctx.db.updateTable('registration').where('agent_id', '=', agent_id).where('status', '<>', 'retired')
    await named.set({ status, pending_for: '["require_approval"]' }).execute()
    await registerVersion(ctx, by, agentBody(client_id, { id: agent_id, prompt: `Then ${status}.` }))
    assert.deepEqual((await findAgent(ctx, client_id, agent_id))?.access, [])
  }
})

test('a mint that was judged within the drain is refused by its write after it (section 9)', async () => {
  const old = await process()
  await register(old.agent_id, 'Be kind.', 30)
  const { client_id } = client
  const record = await readAgents(ctx, { client_id, agent_id: old.agent_id })
  const { value, version } = record?.value.registrations.find(one => one.value.version === 1) ?? assert.fail()
  const at = (seconds: number) => new Date(clock.now().getTime() + seconds * 1000)
  const rests = { kind: 'registration', id: value.registration_id, version, until: value.drains_until } as const
  const lapse = async (seconds: number) => await lapseOf(ctx, { records: [rests], refs: [], now: at(seconds) })
  assert.deepEqual(await lapse(29), { changed: false, revoked: [] })
  assert.deepEqual(await lapse(30), { changed: true, revoked: [] })
  const valid = async (seconds: number) => await validRegistrations(ctx, client_id, old.agent_id, at(seconds))
  assert.deepEqual([(await valid(29)).length, (await valid(30)).length], [2, 1])
})
