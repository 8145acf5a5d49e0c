import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentChecksum } from '../../src/protocol/checksum.ts'
import { openComponents } from '../../src/server/registry/components.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { accessToken, boundHeaders, type GivenClient, givenAgent, givenClient } from '../support/given.ts'
import { APPROVER, agentBody, approve, caller, register } from './given.ts'

const app = await startTestApp()
const { issuer, ctx, clock } = app
const SCOPE = 'register:intent'
const READS = `${SCOPE} read:agent-components`

type Sent = { readonly text: string; readonly headers?: Readonly<Record<string, string>>; readonly scope?: string }

/** Posts a body as it is written: its numbers count. */
async function post(client: GivenClient, path: string, { text, headers = {}, scope = SCOPE }: Sent) {
  const url = `${issuer}${path}`
  const token = await accessToken(app, client, { resource: issuer, scope })
  const bound = await boundHeaders(app, client, token, { method: 'POST', url })
  const init = { method: 'POST', headers: { ...bound, 'content-type': 'application/json', ...headers }, body: text }
  const response = await fetch(url, init)
  return { status: response.status, body: JSON.parse(await response.text()), headers: response.headers, bound }
}

async function preview(client: GivenClient, body: object, scope = SCOPE) {
  const path = '/intent/register/agent/preview'
  const { status, body: answer } = await post(client, path, { text: JSON.stringify(body), scope })
  return { status, answer }
}

async function rowCounts() {
  const counts = await Promise.all(
    (['agent', 'registration', 'agent_key', 'audit_event', 'idempotency'] as const).map(async table => {
      const row = await ctx.db
        .selectFrom(table)
        .select(eb => eb.fn.countAll<string>().as('n'))
        .executeTakeFirstOrThrow()
      return [table, row.n]
    }),
  )
  return Object.fromEntries(counts)
}

async function readsOf({ client_id }: GivenClient) {
  const rows = ctx.db.selectFrom('audit_event').select(['agent_id', 'outcome', 'reason', 'details'])
  return await rows.where('client_id', '=', client_id).where('action', '=', 'read').orderBy('outcome', 'desc').execute()
}

function components(agent_id: string, over: object = {}) {
  return { agent_id, prompt_template: 'You sort mail.', tools: [], ...over }
}

test('a preview says what registering would do, and writes nothing but the claim of its proof (section 4)', async () => {
  const client = await givenClient(app)
  const { key } = await givenAgent(app, client, 'reader')
  const before = await rowCounts()
  const tools = [{ name: 'send', description: 'Sends\u200b.' }]
  const agent_components = components('reader', { prompt_template: 'You are reader.\nBe kind.', tools })
  const { status, answer } = await preview(client, {
    app_id: client.client_id,
    agent_components,
    public_key: (await generateKey()).jwk,
  })
  assert.equal(status, 200)
  const active = await ctx.db
    .selectFrom('registration')
    .select(['registration_id', 'version'])
    .where('client_id', '=', client.client_id)
    .executeTakeFirstOrThrow()
  assert.deepEqual(answer, {
    agent_id: 'reader',
    checksum: agentChecksum({ ...agent_components, tools, agent_id: 'reader' }),
    checksum_profile: 'jcs',
    version: 2,
    status: 'pending',
    pending_for: ['hidden-characters', 'keys'],
    warnings: [
      {
        code: 'hidden-characters',
        where: 'tools.send.description',
        detail: 'Characters that are not seen, or pass for others: U+200B.',
      },
    ],
    against: active,
    diff: null,
  })
  // The row of the token that was asked for.
  assert.deepEqual(await rowCounts(), { ...before, audit_event: String(Number(before.audit_event) + 1) })
  assert.ok(key)
})

test('[attack 93] a preview says what changes only to a token that also has read:agent-components, and that is audited (section 2)', async () => {
  const access = [{ resource: issuer, scope: READS }]
  const client = await givenClient(app, { access })
  const { registration_id } = await givenAgent(app, client, 'reader')
  const tools = [{ name: 'send', description: 'Sends\u200b.' }]
  const agent_components = components('reader', { prompt_template: 'You are reader.\nBe kind.', tools })
  const body = { app_id: client.client_id, agent_components }

  const blind = await preview(client, body)
  assert.deepEqual([blind.answer.against, blind.answer.diff], [{ registration_id, version: 1 }, null])
  assert.equal(JSON.stringify(blind.answer).includes('You are'), false)
  assert.deepEqual(await readsOf(client), [])

  const { answer } = await preview(client, body, READS)
  assert.deepEqual(answer, {
    ...blind.answer,
    diff: {
      prompt: [
        { op: 'same', text: 'You are reader.' },
        { op: 'add', text: 'Be kind.' },
      ],
      tools: [
        {
          name: 'send',
          change: 'added',
          lines: [
            { op: 'add', text: '{' },
            { op: 'add', text: '  "description": "Sends⟦U+200B⟧.",' },
            { op: 'add', text: '  "name": "send",' },
            { op: 'add', text: '  "parameters": {}' },
            { op: 'add', text: '}' },
          ],
        },
      ],
      configuration: [],
    },
  })
  const seen = { agent_id: 'reader', outcome: 'success', reason: null }
  const details = {
    preview: true,
    components_of: [registration_id],
    caller: client.client_id,
    acting_owner: 'user:local:anna',
  }
  assert.deepEqual(await readsOf(client), [{ ...seen, details }])

  // Nothing is shown of an agent that has no version, nor where the preview is refused.
  const first = await preview(client, { ...body, agent_components: components('new') }, READS)
  assert.deepEqual([first.answer.against, first.answer.diff], [null, null])
  const current = { agent_id: 'reader', prompt_template: 'You are reader.', tools: [] }
  const same = await preview(client, { ...body, agent_components: current }, READS)
  assert.equal(same.answer.error, 'duplicate_agent')
  const rows = await readsOf(client)
  assert.deepEqual(
    rows.map(row => [row.outcome, row.reason, row.details.components_of]),
    [
      ['success', null, [registration_id]],
      ['refused', 'duplicate_agent', undefined],
    ],
  )
  // Whoever registers for another client reads what it may read there; whoever does not reads nothing.
  const foreign = await preview(await givenClient(app, { access }), body, READS)
  assert.deepEqual([foreign.status, foreign.answer.error, foreign.answer.diff], [400, 'unauthorized_client', undefined])
})

test('a preview takes its proof once (section 3)', async () => {
  const client = await givenClient(app, { access: [{ resource: issuer, scope: READS }] })
  const body = JSON.stringify({ app_id: client.client_id, agent_components: components('once') })
  const path = '/intent/register/agent/preview'
  for (const scope of [SCOPE, READS]) {
    const first = await post(client, path, { text: body, scope })
    const again = await post(client, path, { text: body, scope, headers: first.bound })
    assert.deepEqual([first.status, again.status, again.body.error], [200, 401, 'invalid_dpop_proof'])
  }
})

test('what is previewed is what registering then does, first or later, refused or not (section 4)', async () => {
  const client = await givenClient(app)
  const { client_id } = client
  const other = await givenClient(app)
  const taken = await givenAgent(app, other, 'elsewhere')
  const key = await generateKey()
  const bodies = [
    { agent_components: components('same'), public_key: key.jwk },
    { agent_components: components('same') },
    { agent_components: components('same', { prompt_template: 'B' }), drain_seconds: 60 },
    { agent_components: components('same') },
    { agent_components: components('Same', { prompt_template: 'C' }) },
    { agent_components: components('same', { prompt_template: 'D' }), public_key: taken.key.jwk },
    { agent_components: components('same', { prompt_template: 'D' }), public_key: (await generateKey()).jwk },
    { agent_components: components('same', { prompt_template: 'E' }), drain_seconds: 4000 },
    { agent_components: components('same', { prompt_template: 'E' }), claimed_checksum: '0'.repeat(64) },
    {
      agent_components: components('same', { prompt_template: 'E' }),
      grant: { access: [{ resource: issuer, scope: SCOPE }] },
    },
    { agent_components: components('same', { prompt_template: 'F\u202e' }) },
    { app_id: other.client_id, agent_components: components('elsewhere', { prompt_template: 'G' }) },
  ]
  const outcomes: string[] = []
  for (const part of bodies) {
    const text = JSON.stringify({ app_id: client_id, ...part })
    const seen = await post(client, '/intent/register/agent/preview', { text })
    const done = await post(client, '/intent/register/agent', { text })
    assert.equal(seen.status, done.status, text)
    const facts = ['checksum', 'version', 'status', 'error', 'error_description', 'registration_id'] as const
    for (const fact of facts.slice(0, done.status === 200 ? 3 : 6)) assert.equal(seen.body[fact], done.body[fact], text)
    outcomes.push(done.body.error ?? `${done.body.version} ${done.body.status}`)
  }
  assert.deepEqual(outcomes, [
    '1 active',
    'duplicate_agent',
    '2 active',
    'duplicate_agent',
    'invalid_request',
    'invalid_request',
    '3 pending',
    'invalid_request',
    'agent_checksum_mismatch',
    'invalid_scope',
    '4 pending',
    'unauthorized_client',
  ])
  clock.advance(60)
  // What has drained is no duplicate any more, in both.
  const text = JSON.stringify({ app_id: client_id, agent_components: components('same') })
  assert.equal((await post(client, '/intent/register/agent/preview', { text })).body.version, 5)
  assert.equal((await post(client, '/intent/register/agent', { text })).body.version, 5)
})

test('[attack 93] a preview compares with nothing of another client (section 4)', async () => {
  const [mine, theirs] = [await givenClient(app), await givenClient(app)]
  await givenAgent(app, theirs, 'shared')
  const { answer } = await preview(mine, { app_id: mine.client_id, agent_components: components('shared') })
  assert.deepEqual([answer.version, answer.against, answer.diff, answer.warnings], [1, null, null, []])
  const foreign = await preview(mine, { app_id: theirs.client_id, agent_components: components('shared') })
  assert.deepEqual([foreign.status, foreign.answer.error], [400, 'unauthorized_client'])
})

test('the same content under another agent_id of the client is a warning, of another client it is not (section 4)', async () => {
  const [mine, theirs] = [await givenClient(app), await givenClient(app)]
  for (const client of [mine, theirs]) {
    const by = caller({ client_id: client.client_id, sub: client.client_id })
    await register(ctx, by, agentBody(client.client_id, { id: `of-${client.client_id}` }))
  }
  const { answer } = await preview(mine, { app_id: mine.client_id, agent_components: components('twin') })
  assert.deepEqual(answer.warnings, [
    {
      code: 'same-content',
      where: 'agent_id',
      detail: `Agent of-${mine.client_id} of this client has the same content.`,
    },
  ])
})

test('[attack 84] the same content is found also where it was sent by the other profile (section 4)', async () => {
  const client = await givenClient(app)
  const app_id = client.client_id
  const parts = (agent_id: string, configuration: object = { top_k: 5 }, over: object = {}) => {
    const tools = [{ name: 'send', description: 'Sends.', ...over }]
    return { agent_id, prompt_template: 'Sort.', tools, configuration }
  }
  const made = async (agent_id: string, checksum_profile: string, configuration?: object) => {
    const body = { app_id, checksum_profile, agent_components: parts(agent_id, configuration) }
    const { status } = await post(client, '/intent/register/agent', { text: JSON.stringify(body) })
    assert.equal(status, 200)
  }
  const twins = async (checksum_profile: string, configuration?: object, over?: object) => {
    const agent_components = parts('twin', configuration, over)
    const { answer } = await preview(client, { app_id, checksum_profile, agent_components })
    return answer.warnings.map(({ code, detail }: { code: string; detail: string }) => `${code} ${detail}`)
  }
  const found = (agent_id: string) => [`same-content Agent ${agent_id} of this client has the same content.`]
  await made('by-jcs', 'jcs')
  await made('by-reference', 'reference', { top_k: 6 })
  assert.deepEqual(await twins('reference'), found('by-jcs'))
  assert.deepEqual(await twins('jcs', { top_k: 6 }), found('by-reference'))
  assert.deepEqual(await twins('jcs', { top_k: 5 }), found('by-jcs'))
  assert.deepEqual(await twins('reference', { top_k: 7 }), [])
  assert.deepEqual(await twins('jcs', { top_k: 6 }, { parameters: { type: 'object' } }), [])
  assert.deepEqual(await twins('reference', { top_k: 5 }, { signature: 'send()' }), [])
})

test('[attack 84] profile reference says that normalisation changed the prompt, and keeps it as it was sent (section 4)', async () => {
  const client = await givenClient(app)
  const prompt_template = 'Sort.\n\n    Then send.'
  const body = {
    app_id: client.client_id,
    checksum_profile: 'reference',
    agent_components: components('ref', { prompt_template }),
  }
  const { answer } = await preview(client, body)
  assert.deepEqual(answer.warnings, [
    {
      code: 'normalised',
      where: 'prompt_template',
      detail: 'The checksum does not see indentation, trailing space and empty lines of this prompt.',
    },
  ])
  const made = await post(client, '/intent/register/agent', { text: JSON.stringify(body) })
  const opened = await openComponents(ctx, made.body.registration_id)
  assert.equal(opened?.prompt_template, prompt_template)
  const plain = { ...body, agent_components: components('ref', { prompt_template: 'Sort.\nThen send.' }) }
  const again = await preview(client, plain)
  assert.deepEqual([again.status, again.answer.error], [400, 'duplicate_agent'])
})

test('[attack 85] the name of a tool holds no control character, in either profile (section 4)', async () => {
  const client = await givenClient(app)
  for (const checksum_profile of ['jcs', 'reference']) {
    for (const [name, status] of [
      ['read_mail\n\nChanges against reg_x: none\nWarning: none', 400],
      ['a\tb', 400],
      ['a\x1bb', 400],
      ['a\x85b', 400],
      ['read mail', 200],
    ] as const) {
      const agent_components = components('named', { tools: [{ name }] })
      const text = JSON.stringify({ app_id: client.client_id, checksum_profile, agent_components })
      const { body, ...answer } = await post(client, '/intent/register/agent/preview', { text })
      assert.equal(answer.status, status, JSON.stringify(name))
      if (status === 400) assert.equal(body.error, 'invalid_request')
    }
  }
})

test('[attack 86] in profile reference the written form of numbers reaches the checksum over HTTP (section 4)', async () => {
  const client = await givenClient(app)
  const text = (number: string) =>
    `{"app_id":"${client.client_id}","checksum_profile":"reference","agent_components":` +
    `{"agent_id":"exact","prompt_template":"p","tools":[],"configuration":{"t":${number}}}}`
  // python3 -c 'import hashlib,json; print(hashlib.sha256(json.dumps({"id":"exact","prompt":"p","tools":[],
  //   "config":{"t":0.0}}, sort_keys=True).encode()).hexdigest())'
  const headers = { 'idempotency-key': 'exact' }
  const made = await post(client, '/intent/register/agent', { text: text('0.0'), headers })
  assert.equal(made.body.checksum, 'e7cbba348a2afe6e5f0f5cde1eda1027d78e6dea8e7fd79ab5f42b3de40aa46e')
  const repeated = await post(client, '/intent/register/agent', { text: text('0.0'), headers })
  assert.deepEqual([repeated.status, repeated.headers.get('idempotency-replayed')], [200, 'true'])
  // Another text is another request, though JavaScript reads the same value.
  assert.equal((await post(client, '/intent/register/agent', { text: text('0'), headers })).status, 422)
  const other = await post(client, '/intent/register/agent', { text: text('0') })
  assert.deepEqual(
    [other.status, other.body.checksum],
    [200, 'a85e23947b5b62bf530a37da645f4fc918bae879e3a6ee377f682c099127f101'],
  )
  assert.equal(JSON.stringify((await openComponents(ctx, made.body.registration_id))?.configuration), '{"t":0.0}')
})

test('an approval is as good for a version of profile reference (section 4)', async () => {
  const client = await givenClient(app, { policies: { require_approval: true } })
  const text = JSON.stringify({
    app_id: client.client_id,
    checksum_profile: 'reference',
    agent_components: components('careful'),
  })
  const { body } = await post(client, '/intent/register/agent', { text })
  assert.equal(body.status, 'pending')
  assert.equal((await approve(ctx, APPROVER, client.client_id, body)).status, 'active')
})

test('[attack 97] an unknown member is named as one in both profiles, an unknown profile as itself', async () => {
  const client = await givenClient(app)
  const body = { app_id: client.client_id, agent_components: components('strict') }
  const wrong = [
    [{ ...body, approved_by: 'me' }, 'The request has a member that is not known here.'],
    [{ ...body, checksum_profile: 'reference', approved_by: 'me' }, 'The request has a member that is not known here.'],
    [
      { ...body, agent_components: { ...body.agent_components, tools: [{ name: 'a', signature: 's' }] } },
      'Member agent_components.tools.0 has a member that is not known here.',
    ],
    [{ ...body, checksum_profile: 'md5' }, /^Member checksum_profile is not accepted/],
    [{ ...body, drain_seconds: -1 }, /^Member drain_seconds is not accepted/],
  ] as const
  for (const [sent, sentence] of wrong) {
    const { status, answer } = await preview(client, sent)
    assert.equal(status, 400)
    assert.match(answer.error_description, sentence instanceof RegExp ? sentence : new RegExp(`^${sentence}$`))
  }
})
