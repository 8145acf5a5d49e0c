import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { agentChecksum } from '../../src/protocol/checksum.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { reject } from '../../src/server/registry/agent-decisions.ts'
import { getAgent } from '../../src/server/registry/agent-views.ts'
import { clientToRead } from '../../src/server/registry/app-client.ts'
import { openComponents } from '../../src/server/registry/components.ts'
import { findAgentKeys } from '../../src/server/store/agent-keys.ts'
import { findAgent, revokeAgent } from '../../src/server/store/agents.ts'
import { revokeClient } from '../../src/server/store/clients.ts'
import { revokeRegistration } from '../../src/server/store/registration-changes.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { validRegistrations } from '../support/valid-registrations.ts'
import {
  APPROVER,
  agentBody,
  approve,
  CRM,
  caller,
  givenClient,
  givenResources,
  MAIL,
  refused,
  register,
  run,
} from './given.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)

const NOTHING = { access: [], outside_workflow: false }

async function statusesOf(client_id: string): Promise<string[]> {
  const { registrations } = await getAgent(ctx, { client_id, agent_id: 'planner' })
  return registrations.map(version => `${version.version} ${version.status}`)
}

async function keysOf(client_id: string): Promise<string[]> {
  return (await findAgentKeys(ctx, client_id, 'planner')).map(key => key.jkt)
}

test('a first registration counts at once, with its key, and no grant where none is sent (section 4)', async () => {
  const app = await givenClient(ctx, 'first')
  const key = await generateKey()
  const body = agentBody('first', { public_key: { ...key.jwk } })
  const answer = await register(ctx, app, body)
  const checksum = agentChecksum({ agent_id: 'planner', prompt_template: 'You sort mail.', tools: [] })
  const registration_id = `reg_planner_${clock.seconds()}`
  assert.deepEqual(answer, { agent_id: 'planner', registration_id, checksum, version: 1, status: 'active' })
  assert.deepEqual(await keysOf('first'), [key.jkt])
  const agent = await findAgent(ctx, 'first', 'planner')
  assert.deepEqual(agent && { access: agent.access, outside_workflow: agent.outside_workflow }, NOTHING)
})

test('a registration_id has a random end only where another has it already (section 4)', async () => {
  const one = await givenClient(ctx, 'id-one')
  const two = await givenClient(ctx, 'id-two')
  clock.advance(1)
  const plain = `reg_planner_${clock.seconds()}`
  assert.equal((await register(ctx, one, agentBody('id-one'))).registration_id, plain)
  const other = (await register(ctx, two, agentBody('id-two'))).registration_id
  assert.equal(other.startsWith(`${plain}_`), true)
})

test('[attack 82] a new version counts at once, the older one and its checksum are retired (section 4)', async () => {
  const app = await givenClient(ctx, 'versions')
  await register(ctx, app, agentBody('versions'))
  const second = await register(ctx, app, agentBody('versions', { prompt: 'Other.' }))
  assert.deepEqual(await statusesOf('versions'), ['2 active', '1 retired'])
  const valid = await validRegistrations(ctx, 'versions', 'planner', ctx.now())
  assert.deepEqual(
    valid.map(version => version.checksum),
    [second.checksum],
  )
})

test('a retired checksum comes back as a new version (section 4)', async () => {
  const app = await givenClient(ctx, 'rollback')
  const first = await register(ctx, app, agentBody('rollback'))
  await register(ctx, app, agentBody('rollback', { prompt: 'Other.' }))
  const back = await register(ctx, app, agentBody('rollback'))
  assert.deepEqual({ ...back, registration_id: '' }, { ...first, registration_id: '', version: 3 })
})

test('[attack 92] duplicate_agent names the version to the owner only, and nothing of other clients (section 4)', async () => {
  const app = await givenClient(ctx, 'twin')
  const other = await givenClient(ctx, 'twin-other')
  const first = await register(ctx, app, agentBody('twin'))
  await assert.rejects(register(ctx, app, agentBody('twin')), (error: unknown) => {
    assert(error instanceof OAuthError)
    assert.equal(error.code, 'duplicate_agent')
    const { registration_id, checksum } = first
    assert.deepEqual(error.details, { registration_id, existing_agent_id: 'planner', checksum })
    return true
  })
  assert.equal((await register(ctx, other, agentBody('twin-other'))).status, 'active')
  assert.equal((await register(ctx, app, agentBody('twin', { id: 'planner-2' }))).status, 'active')
})

test('of many registrations of one content at once exactly one is made: the index decides (section 4)', async () => {
  const app = await givenClient(ctx, 'parallel')
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => register(ctx, app, agentBody('parallel'))))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  assert.deepEqual(await statusesOf('parallel'), ['1 active'])
})

test('versions that are registered at once are numbered one by one, and one is active (section 4)', async () => {
  const app = await givenClient(ctx, 'numbers')
  await Promise.all(Array.from({ length: 6 }, (_, n) => register(ctx, app, agentBody('numbers', { prompt: `P ${n}` }))))
  const statuses = await statusesOf('numbers')
  assert.deepEqual(statuses, ['6 active', '5 retired', '4 retired', '3 retired', '2 retired', '1 retired'])
})

test('a claimed checksum that differs is refused; bare hex and sha256: are the same (section 4)', async () => {
  const app = await givenClient(ctx, 'claimed')
  const checksum = agentChecksum({ agent_id: 'planner', prompt_template: 'You sort mail.', tools: [] })
  const wrong = agentBody('claimed', { claimed_checksum: `sha256:${'0'.repeat(64)}` })
  assert.equal((await refused(register(ctx, app, wrong))).reason, 'claimed_checksum_mismatch')
  const right = agentBody('claimed', { claimed_checksum: `sha256:${checksum}` })
  assert.equal((await register(ctx, app, right)).checksum, checksum)
})

test('[attack 84] white space, tool order and every member of a schema count in the checksum (section 4)', async () => {
  const app = await givenClient(ctx, 'whitespace')
  const tool = {
    name: 'find',
    description: 'Finds.',
    parameters: { type: 'object', properties: { config: { default: 1 } } },
  }
  const variants = [
    { prompt_template: 'a\nb', tools: [tool] },
    { prompt_template: 'a\n\nb', tools: [tool] },
    { prompt_template: ' a\nb', tools: [tool] },
    // [attack 87]: what a checksum over parts of a schema would let through.
    {
      prompt_template: 'a\nb',
      tools: [{ ...tool, parameters: { type: 'object', properties: { config: { default: 2 } } } }],
    },
    { prompt_template: 'a\nb', tools: [{ ...tool, description: 'Finds all.' }] },
  ]
  const checksums = new Set<string>()
  for (const variant of variants) {
    const body = { app_id: 'whitespace', agent_components: { agent_id: 'planner', ...variant } }
    checksums.add((await register(ctx, app, agentRegistrationSchema.parse(body))).checksum)
  }
  assert.equal(checksums.size, variants.length)
})

test('[attack 87] a tool member that the checksum does not cover is refused, not dropped (section 4)', () => {
  const tools = [{ name: 'find', annotations: { readOnly: true } }]
  const agent_components = { agent_id: 'planner', prompt_template: 'x', tools }
  assert.equal(agentRegistrationSchema.safeParse({ app_id: 'a', agent_components }).success, false)
})

test('[attack 85] hidden text is hashed as given, never approved automatically, and marked (section 4)', async () => {
  const app = await givenClient(ctx, 'hidden')
  const answer = await register(ctx, app, agentBody('hidden', { prompt: 'Sort\u200b mail.' }))
  assert.equal(answer.status, 'pending')
  const expected = agentChecksum({ agent_id: 'planner', prompt_template: 'Sort\u200b mail.', tools: [] })
  assert.equal(answer.checksum, expected)
  const { registrations } = await getAgent(ctx, { client_id: 'hidden', agent_id: 'planner' })
  assert.deepEqual(registrations[0]?.pending_for, ['hidden-characters'])
  assert.deepEqual(await validRegistrations(ctx, 'hidden', 'planner', ctx.now()), [])
})

test('[attack 86] integers that parsers read differently never get this far; numbers keep their value', async () => {
  const app = await givenClient(ctx, 'numbers-2')
  const configuration = { temperature: 0.0, tiny: 1e-7, big: 1e21, accent: 'é', astral: '😀' }
  const body = agentRegistrationSchema.parse({
    app_id: 'numbers-2',
    agent_components: { agent_id: 'planner', prompt_template: 'x', tools: [], configuration },
  })
  const { checksum } = await register(ctx, app, body)
  assert.equal(checksum, agentChecksum({ agent_id: 'planner', prompt_template: 'x', tools: [], configuration }))
})

test('[attack 95] ids that differ only in case, or have other characters, are refused (section 4)', async () => {
  const app = await givenClient(ctx, 'case')
  await register(ctx, app, agentBody('case'))
  const variant = agentBody('case', { id: 'Planner', prompt: 'Other.' })
  assert.deepEqual(await refused(register(ctx, app, variant)), { code: 'invalid_request', reason: 'agent_id_case' })
  for (const agent_id of ['pl\u0430nner', 'a|b', 'a/b', 'a\u0000', 'a\u200bb', 'x'.repeat(129), '', 'a_b', '..']) {
    const agent_components = { agent_id, prompt_template: '', tools: [] }
    assert.equal(agentRegistrationSchema.safeParse({ app_id: 'case', agent_components }).success, false)
  }
})

test('[attack 97] status, version and owner cannot be sent along (section 4)', () => {
  for (const member of ['status', 'owner', 'version', 'scopes', 'approved_by', 'drains_until', 'pending_for']) {
    const body = { ...agentBody('a'), [member]: 'x' }
    assert.equal(agentRegistrationSchema.safeParse(body).success, false)
  }
})

test('[attack 98] nothing is coerced into another type', () => {
  const good = { app_id: 'a', agent_components: { agent_id: 'p', prompt_template: 'x', tools: [] } }
  const bad = [
    { ...good, app_id: ['a'] },
    { ...good, app_id: 1 },
    { ...good, app_id: null },
    { ...good, agent_components: { ...good.agent_components, prompt_template: 12 } },
    { ...good, agent_components: { ...good.agent_components, tools: 'x' } },
    { ...good, grant: { access: [], outside_workflow: 'true' } },
  ]
  for (const body of bad) assert.equal(agentRegistrationSchema.safeParse(body).success, false)
})

test('[attack 94] a revoked agent’s name is never given out again (section 9)', async () => {
  const app = await givenClient(ctx, 'tombstone')
  await register(ctx, app, agentBody('tombstone'))
  await revokeAgent(ctx, 'tombstone', 'planner')
  const again = agentBody('tombstone', { prompt: 'New.' })
  assert.deepEqual(await refused(register(ctx, app, again)), { code: 'invalid_request', reason: 'agent_revoked' })
})

test('content that was revoked once waits for approval (section 4)', async () => {
  const app = await givenClient(ctx, 'revoked-content')
  const { registration_id } = await register(ctx, app, agentBody('revoked-content'))
  await revokeRegistration(ctx, registration_id)
  assert.equal((await register(ctx, app, agentBody('revoked-content'))).status, 'pending')
})

test('[attack 94] a client registers for itself and for those its record names, for nobody else (section 4)', async () => {
  const app = await givenClient(ctx, 'named')
  await givenClient(ctx, 'unnamed')
  const ci = await givenClient(ctx, 'ci', { registers_for: ['named'] })
  assert.equal((await register(ctx, ci, agentBody('named'))).status, 'active')
  const foreign = { code: 'unauthorized_client', reason: 'foreign_app' }
  assert.deepEqual(await refused(register(ctx, ci, agentBody('unnamed'))), foreign)
  assert.deepEqual(await refused(register(ctx, app, agentBody('no-such-client'))), foreign)
  await revokeClient(ctx, 'named')
  assert.deepEqual(await refused(register(ctx, ci, agentBody('named', { prompt: 'B' }))), foreign)
})

test('[attack 93] components are sealed at rest and other clients read nothing, as if nothing were there', async () => {
  const app = await givenClient(ctx, 'sealed')
  const stranger = await givenClient(ctx, 'stranger')
  const { registration_id } = await register(ctx, app, agentBody('sealed', { prompt: 'canary-of-the-prompt' }))
  const row = await ctx.db
    .selectFrom('registration')
    .select('components_sealed')
    .where('registration_id', '=', registration_id)
    .executeTakeFirstOrThrow()
  assert.equal(row.components_sealed.includes('canary-of-the-prompt'), false)
  const opened = await openComponents(ctx, registration_id)
  assert.deepEqual(opened, {
    agent_id: 'planner',
    prompt_template: 'canary-of-the-prompt',
    tools: [],
    configuration: {},
  })
  assert.equal(
    JSON.stringify(await getAgent(ctx, { client_id: 'sealed', agent_id: 'planner' })).includes('canary-of-the-prompt'),
    false,
  )
  const nothing = { code: 'not_found', reason: 'foreign_app' }
  assert.deepEqual(await refused(clientToRead(ctx, stranger, 'sealed')), nothing)
  assert.deepEqual(await refused(clientToRead(ctx, stranger, 'no-such-client')), nothing)
})

test('[attack 124] a grant lies within the pairs of its client, without our own resources (sections 1 and 3)', async () => {
  const app = await givenClient(ctx, 'pairs')
  const above = [
    [{ resource: MAIL, scope: 'write' }],
    [{ resource: CRM, scope: 'read admin' }],
    [{ resource: ctx.config.issuer, scope: 'register:intent' }],
  ]
  for (const access of above) {
    const body = agentBody('pairs', { grant: { access, outside_workflow: false } })
    const refusal = await refused(register(ctx, app, body))
    assert.deepEqual(refusal, { code: 'invalid_scope', reason: 'grant_above_client' })
  }
})

test('default_grant client gives the whole ceiling, never ours, never outside_workflow (section 4)', async () => {
  const app = await givenClient(ctx, 'generous', { policies: { default_grant: 'client' } })
  await register(ctx, app, agentBody('generous'))
  const agent = await findAgent(ctx, 'generous', 'planner')
  const access = [
    { resource: CRM, scope: 'read write' },
    { resource: MAIL, scope: 'read' },
  ]
  assert.deepEqual(agent && { access: agent.access, outside: agent.outside_workflow }, { access, outside: false })
})

test('what the first version was to get counts with the first that is clean: the default, or what was sent (section 4)', async () => {
  const generous = await givenClient(ctx, 'first-default', { policies: { default_grant: 'client' } })
  const plain = await givenClient(ctx, 'first-sent')
  const sent = { access: [{ resource: CRM, scope: 'read' }], outside_workflow: true }
  const hidden = { prompt: 'Sort\u200b mail.' }
  const whole = [
    { resource: CRM, scope: 'read write' },
    { resource: MAIL, scope: 'read' },
  ]
  for (const [app, first, grant] of [
    [generous, hidden, { access: whole, outside_workflow: false }],
    [plain, { ...hidden, grant: sent }, sent],
  ] as const) {
    const { client_id } = app
    assert.equal((await register(ctx, app, agentBody(client_id, first))).status, 'pending')
    assert.deepEqual((await getAgent(ctx, { client_id, agent_id: 'planner' })).grant, NOTHING)
    assert.equal((await register(ctx, app, agentBody(client_id))).status, 'active')
    assert.deepEqual((await getAgent(ctx, { client_id, agent_id: 'planner' })).grant, grant)
  }
})

test('keys of a first version that waits go on waiting, and bind nothing without an approval (section 4)', async () => {
  const [careful, clean] = [
    await givenClient(ctx, 'first-keys', { policies: { require_approval: true } }),
    await givenClient(ctx, 'first-clean'),
  ]
  const [one, two] = [await generateKey(), await generateKey()]
  await register(ctx, careful, agentBody('first-keys', { public_key: { ...one.jwk } }))
  const second = await register(ctx, careful, agentBody('first-keys', { prompt: 'B' }))
  assert.deepEqual(await keysOf('first-keys'), [])
  await approve(ctx, APPROVER, 'first-keys', second)
  assert.deepEqual(await keysOf('first-keys'), [one.jkt])

  await register(ctx, clean, agentBody('first-clean', { prompt: 'Sort\u200b mail.', public_key: { ...two.jwk } }))
  assert.equal((await register(ctx, clean, agentBody('first-clean'))).status, 'active')
  assert.deepEqual(await keysOf('first-clean'), [])
})

test('a wider grant waits with a pending version, a narrower one acts at once (section 4)', async () => {
  const app = await givenClient(ctx, 'grants', { policies: { require_approval: true } })
  const wide = { access: [{ resource: CRM, scope: 'read write' }], outside_workflow: true }
  const narrow = { access: [{ resource: CRM, scope: 'read' }], outside_workflow: false }
  const first = await register(ctx, app, agentBody('grants', { grant: wide }))
  const grantOf = async () => (await getAgent(ctx, { client_id: 'grants', agent_id: 'planner' })).grant
  assert.deepEqual(await grantOf(), NOTHING)
  await approve(ctx, APPROVER, 'grants', first)
  assert.deepEqual(await grantOf(), wide)
  await register(ctx, app, agentBody('grants', { prompt: 'B', grant: narrow }))
  assert.deepEqual(await grantOf(), narrow)
  const third = await register(ctx, app, agentBody('grants', { prompt: 'C', grant: wide }))
  assert.deepEqual(await grantOf(), narrow)
  await approve(ctx, APPROVER, 'grants', third)
  assert.deepEqual(await grantOf(), wide)
})

test('[attack 125] approving a version that was replaced is a conflict (section 4)', async () => {
  const app = await givenClient(ctx, 'replaced', { policies: { require_approval: true } })
  const second = await register(ctx, app, agentBody('replaced'))
  const third = await register(ctx, app, agentBody('replaced', { prompt: 'Newer.' }))
  const replaced = { code: 'conflict', reason: 'replaced' }
  assert.deepEqual(await refused(approve(ctx, APPROVER, 'replaced', second)), replaced)
  assert.equal((await approve(ctx, APPROVER, 'replaced', third)).status, 'active')
  const notPending = { code: 'conflict', reason: 'not_pending' }
  assert.deepEqual(await refused(approve(ctx, APPROVER, 'replaced', second)), notPending)
  assert.deepEqual(await refused(approve(ctx, APPROVER, 'replaced', third)), notPending)
})

test('an approval is bound to the content and to the agent it was given for (section 4)', async () => {
  const app = await givenClient(ctx, 'bound', { policies: { require_approval: true } })
  const answer = await register(ctx, app, agentBody('bound'))
  const other = { ...answer, checksum: '0'.repeat(64) }
  assert.equal((await refused(approve(ctx, APPROVER, 'bound', other))).reason, 'other_checksum')
  await givenClient(ctx, 'bound-other')
  assert.equal((await refused(approve(ctx, APPROVER, 'bound-other', answer))).code, 'not_found')
  const elsewhere = { ...answer, agent_id: 'else' }
  assert.equal((await refused(approve(ctx, APPROVER, 'bound', elsewhere))).code, 'not_found')
})

test('[attack 125] nobody approves for an owner who registered it or owns the client (section 4)', async () => {
  await givenClient(ctx, 'own', { policies: { require_approval: true } })
  const admin = { access: [{ resource: ctx.config.adminAudience, scope: 'approve:agents' }], kind: 'operator' }
  await givenClient(ctx, 'own-admin-1', { ...admin, owner: 'user:local:anna' })
  await givenClient(ctx, 'own-admin-2', { ...admin, owner: 'user:local:carl' })
  const ci = await givenClient(ctx, 'own-ci', { registers_for: ['own'], owner: 'user:local:carl' })
  const answer = await register(ctx, ci, agentBody('own'))
  const own = { code: 'forbidden', reason: 'own_proposal' }
  for (const acting_owner of ['user:local:anna', 'user:local:carl']) {
    assert.deepEqual(await refused(approve(ctx, caller({ acting_owner }), 'own', answer)), own)
  }
  assert.equal((await approve(ctx, APPROVER, 'own', answer)).status, 'active')
})

test('after a first version that was rejected the next one is a first one again, with nothing of the rejected (section 4)', async () => {
  const app = await givenClient(ctx, 'rejected-first', { policies: { default_grant: 'client' } })
  const [one, two] = [await generateKey(), await generateKey()]
  const name = { client_id: 'rejected-first', agent_id: 'planner' }
  const hidden = agentBody('rejected-first', { prompt: 'Sort\u200b mail.', public_key: { ...one.jwk } })
  const { registration_id, checksum } = await register(ctx, app, hidden)
  await run(ctx, tx => reject(tx, APPROVER, name, { registration_id, checksum, reason: 'hidden text' }))
  const next = await register(ctx, app, agentBody('rejected-first', { public_key: { ...two.jwk } }))
  assert.deepEqual([next.version, next.status], [2, 'active'])
  assert.deepEqual(await keysOf('rejected-first'), [two.jkt])
  assert.equal((await getAgent(ctx, name)).grant.access.length, 2)
})
