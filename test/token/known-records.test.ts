import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { readAgents } from '../../src/server/store/records.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import { agentGrant, clientCredentials, send } from '../attacks/attempt.ts'
import {
  type GivenAgent,
  givenAgent,
  givenClient,
  givenResource,
  givenWorkflow,
  givenWorld,
  READ_API,
  thumbprint,
} from '../attacks/given.ts'
import { testKey } from '../protocol/forge.ts'

const world = await givenWorld()
const { ctx } = world

/** Mints once, so that everything it rests on is kept; then another node changes a row. */
async function changed(agent: GivenAgent, change: () => Promise<unknown>) {
  const mint = () => send(world, agentGrant(world, '/intent/token', agent))
  assert.equal((await mint()).status, 200)
  assert.equal((await mint()).status, 200)
  await change()
  const { status, body } = await mint()
  return [status, body.ajwt_error ?? body.error]
}

const of = (agent: GivenAgent) => sql`client_id = ${agent.client.client_id} and agent_id = ${agent.agent_id}`

async function agentOfItsOwn(): Promise<GivenAgent> {
  return await givenAgent(ctx, await givenClient(ctx), 'kept')
}

const CHANGES: Readonly<
  Record<string, { readonly by: (agent: GivenAgent) => Promise<unknown>; readonly answer: readonly unknown[] }>
> = {
  'access of the client': {
    by: ({ client }) =>
      sql`update client set access = jsonb_path_query_array(access, '$[*] ? (@.resource != $r)', ${JSON.stringify({ r: READ_API })}::jsonb)
        where client_id = ${client.client_id}`.execute(ctx.db),
    answer: [400, 'invalid_target'],
  },
  'keys of the client': {
    by: ({ client }) =>
      sql`update client set jwks = ${JSON.stringify({ keys: [testKey('ES256').jwk] })}::jsonb where client_id = ${client.client_id}`.execute(
        ctx.db,
      ),
    answer: [401, 'invalid_client'],
  },
  'status of the client': {
    by: ({ client }) => sql`update client set status = 'revoked' where client_id = ${client.client_id}`.execute(ctx.db),
    answer: [401, 'invalid_client'],
  },
  'status of the agent': {
    by: agent => sql`update agent set status = 'suspended' where ${of(agent)}`.execute(ctx.db),
    answer: [401, 'unknown_agent'],
  },
  'grant of the agent': {
    by: agent => sql`update agent set access = '[]' where ${of(agent)}`.execute(ctx.db),
    answer: [400, 'invalid_target'],
  },
  'status of the version': {
    by: agent => sql`update registration set status = 'retired' where ${of(agent)}`.execute(ctx.db),
    answer: [401, 'agent_checksum_mismatch'],
  },
  'key of the agent': {
    by: agent => sql`update agent_key set removed_at = ${ctx.now()} where ${of(agent)}`.execute(ctx.db),
    answer: [400, 'agent_key_mismatch'],
  },
  'workflow that assigns it': {
    by: agent => givenWorkflow(ctx, agent.client, 'binds', [{ step_id: 'plan', agent_id: 'kept' }]),
    answer: [403, 'workflow_required'],
  },
}

for (const [what, { by, answer }] of Object.entries(CHANGES)) {
  test(`what another node changes counts at once, although it is kept in memory: ${what} (ADR 23)`, async () => {
    const agent = await agentOfItsOwn()
    assert.deepEqual(await changed(agent, () => by(agent)), answer)
  })
}

test('what another node changes counts at once, although it is kept in memory: scopes of the resource (ADR 23)', async () => {
  const resource = 'https://kept.example.com'
  await givenResource(ctx, { resource, scopes: [{ name: 'read' }] })
  const client = await givenClient(ctx, undefined, { access: [{ resource, scope: 'read' }] })
  const mint = async () => {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, resource }
    return (await send(world, attempt)).status
  }
  assert.deepEqual([await mint(), await mint()], [200, 200])
  await sql`update resource set scopes = '[{"name": "write"}]' where resource = ${resource}`.execute(ctx.db)
  assert.equal(await mint(), 400)
})

test('what another node adds counts at once: a version, where the one that is kept does not match (ADR 23)', async () => {
  const agent = await agentOfItsOwn()
  assert.equal((await send(world, agentGrant(world, '/intent/token', agent))).status, 200)
  const next = await givenAgent(ctx, agent.client, 'kept', { prompt: 'You are new.', key: agent.key })
  assert.notEqual(next.checksum, agent.checksum)
  assert.equal((await send(world, agentGrant(world, '/intent/token', next))).status, 200)
})

test('a key that becomes an agent’s at another node binds no client token from then on (section 3)', async () => {
  const client = await givenClient(ctx)
  const own = { ...client, dpopKey: testKey('ES256') }
  const mint = async () => (await send(world, clientCredentials(world, own))).status
  assert.deepEqual([await mint(), await mint()], [200, 200])
  await givenAgent(ctx, client, 'taker', { key: own.dpopKey })
  assert.equal(await mint(), 400)
})

test('a refusal that rests on something kept is judged again: what was forbidden may be allowed since (ADR 23)', async () => {
  const agent = await agentOfItsOwn()
  await sql`update agent set status = 'suspended' where ${of(agent)}`.execute(ctx.db)
  const mint = async () => (await send(world, agentGrant(world, '/intent/token', agent))).status
  assert.equal(await mint(), 401)
  await sql`update agent set status = 'active' where ${of(agent)}`.execute(ctx.db)
  assert.equal(await mint(), 200)
})

test('an agent with more versions than are read leaves those of another agent to be read (ADR 23)', async () => {
  const [many, one] = [await agentOfItsOwn(), await agentOfItsOwn()]
  await sql`insert into registration select changed.* from registration as template
    cross join generate_series(2, 700) as n
    cross join lateral jsonb_populate_record(template, jsonb_build_object('registration_id', 'many_' || n, 'version', n,
      'checksum', lpad(n::text, 64, '0'), 'status', 'draining', 'drains_until', '2100-01-01T00:00:00Z')) as changed
    where template.client_id = ${many.client.client_id} and template.agent_id = 'kept'`.execute(ctx.db)
  const pair = [many, one].toSorted((a, b) => (a.client.client_id < b.client.client_id ? -1 : 1))
  const meeting = await Promise.all(pair.map(agent => readTogether(agent)))
  const counts = meeting.map(record => record?.value.registrations.length)
  assert.deepEqual(counts.toSorted(), [1, 256])
})

const readTogether = ({ client: { client_id }, agent_id }: GivenAgent) =>
  readAgents({ ...ctx, meeting: ctx.commits.reads }, { client_id, agent_id })

test('a refusal counts once for each request (reliability.md section 5)', async () => {
  const agent = await agentOfItsOwn()
  const attempt = agentGrant(world, '/intent/token', agent)
  assert.equal((await send(world, attempt)).status, 200)
  const counted = async () => {
    const { values } = await ctx.metrics.refusals.get()
    return values.find(({ labels }) => labels.reason === 'assertion_replayed')?.value ?? 0
  }
  const before = await counted()
  const again = await Promise.all([send(world, attempt), send(world, attempt), send(world, attempt)])
  assert.deepEqual(
    again.map(({ status }) => status),
    [401, 401, 401],
  )
  assert.equal((await counted()) - before, 3)
})

// The last of all: every client here has this key.
test('a client’s last key that was revoked signs nothing, also where its record was read just now (section 9)', async () => {
  const agent = await agentOfItsOwn()
  const { client } = agent
  await insertRevocations(ctx, [{ kind: 'key', id: await thumbprint(client.key) }], {
    ...{ reason: 'test', revoked_by: 'test', now: ctx.now() },
  })
  ctx.records.forget()
  const attempt = agentGrant(world, '/intent/token', agent)
  attempt.params = { ...attempt.params, agent_id: 'nobody' }
  const { status, body } = await send(world, attempt)
  assert.deepEqual([status, body.error], [401, 'invalid_client'])
})
