import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { clientCreateSchema, clientUpdateSchema, policiesSchema } from '../../src/protocol/client.ts'
import { resourceCreateSchema } from '../../src/protocol/resource.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { grantableAccess, isNoWider, isOwnResource } from '../../src/server/registry/ceiling.ts'
import { deleteClient } from '../../src/server/registry/client-deletion.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { createClient, getClient, getClients } from '../../src/server/registry/clients.ts'
import { recoverAdministrator } from '../../src/server/registry/recovery.ts'
import { createResource } from '../../src/server/registry/resources.ts'
import { findSecrets } from '../../src/server/store/client-secrets.ts'
import { findClient, lockClient, revokeClient } from '../../src/server/store/clients.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import {
  agentBody,
  approve,
  CRM,
  caller,
  givenClient,
  givenResources,
  refused,
  register,
  run,
  sha256,
} from './given.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)

function clientBody(over: object = {}) {
  return clientCreateSchema.parse({
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    access: [{ resource: CRM, scope: 'read' }],
    ...over,
  })
}

// First in the file: it needs a server with exactly one administrator.
test('the only administrator may approve its own acts, until there is a second one (section 11)', async () => {
  const admin = { access: [{ resource: ctx.config.adminAudience, scope: 'admin:clients approve:agents' }] }
  const root = await givenClient(ctx, 'root', { ...admin, owner: 'user:local:root', kind: 'operator' })
  const policies = { require_approval: true }
  const app = await givenClient(ctx, 'roots-app', { owner: 'user:local:root', policies })
  const first = await register(ctx, app, agentBody('roots-app'))
  assert.equal((await approve(ctx, root, 'roots-app', first)).status, 'active')
  await givenClient(ctx, 'second-admin', { ...admin, owner: 'user:local:root', kind: 'operator' })
  const second = await register(ctx, app, agentBody('roots-app', { prompt: 'B' }))
  const own = { code: 'forbidden', reason: 'own_proposal' }
  assert.deepEqual(await refused(approve(ctx, root, 'roots-app', second)), own)
})

const noAccess = (tx: Context) => changeClient(tx, caller(), 'second', clientUpdateSchema.parse({ access: [] }))

/** Every way to get rid of the second administrator. */
const RIDDANCES = {
  'it is revoked': async (own: Context) => {
    await revokeClient(own, 'second')
  },
  'it is deleted': async (own: Context) => {
    await run(own, tx => deleteClient(tx, caller(), 'second', 'x'))
  },
  'its access is taken away': async (own: Context) => {
    await run(own, noAccess)
  },
  'its access is taken away, on a server that nobody made a note on': async (own: Context) => {
    await own.db.deleteFrom('second_administrator').execute()
    await run(own, noAccess)
  },
}

for (const [how, riddance] of Object.entries(RIDDANCES)) {
  test(`[attack 118] once there was a second administrator the first approves no act of its own, though ${how} (section 11)`, async () => {
    const { ctx: own } = await startTestApp()
    await givenResources(own)
    const admin = { access: [{ resource: own.config.adminAudience, scope: 'admin:clients approve:agents' }] }
    const root = await givenClient(own, 'root', { ...admin, owner: 'user:local:root', kind: 'operator' })
    await givenClient(own, 'second', { ...admin, owner: 'user:local:eve', kind: 'operator' })
    const since = own.now()
    const policies = { require_approval: true }
    const app = await givenClient(own, 'roots-app', { owner: 'user:local:root', policies })
    const version = await register(own, app, agentBody('roots-app'))
    await riddance(own)
    const forbidden = { code: 'forbidden', reason: 'own_proposal' }
    assert.deepEqual(await refused(approve(own, root, 'roots-app', version)), forbidden)
    const takeover = clientUpdateSchema.parse({ owner: 'user:local:root' })
    await givenClient(own, 'annas-app')
    assert.deepEqual(await refused(run(own, tx => changeClient(tx, root, 'annas-app', takeover))), {
      code: 'forbidden',
      reason: 'own_takeover',
    })
    const noted = await own.db.selectFrom('second_administrator').select(['id', 'since']).execute()
    assert.deepEqual(noted, [{ id: 1, since }])
  })
}

test('an administrator made from the host is a second one, for good (section 11)', async () => {
  const { ctx: own } = await startTestApp()
  const made = async (owner: string) => {
    const jwks = { keys: [(await generateKey()).jwk] }
    return await recoverAdministrator(own, { client_name: 'Host', owner, jwks, revoke_others: false })
  }
  const rows = () => own.db.selectFrom('second_administrator').select('id').execute()
  await made('user:local:root')
  assert.deepEqual(await rows(), [])
  await made('user:local:eve')
  assert.deepEqual(await rows(), [{ id: 1 }])
})

test('a client is created as asked, its secret shown once and kept as a digest (section 11)', async () => {
  const { status, body, replayBody } = await createClient(ctx, caller(), clientBody({ client_id: 'shop' }))
  assert.equal(status, 201)
  const { client_secret = '', ...view } = body
  assert.match(client_secret, /^[A-Za-z0-9_-]{44}$/)
  assert.deepEqual(replayBody, view)
  assert.deepEqual(view, {
    client_id: 'shop',
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    jwks: null,
    jwks_uri: null,
    grant_types: ['client_credentials'],
    access: [{ resource: CRM, scope: 'read' }],
    registers_for: [],
    policies: policiesSchema.parse({}),
    secrets: [{ created_at: ctx.now().toISOString(), expires_at: null }],
    status: 'active',
    created_at: ctx.now().toISOString(),
    updated_at: null,
  })
  assert.deepEqual(await getClient(ctx, 'shop'), view)
  const [secret, ...others] = await findSecrets(ctx, 'shop', ctx.now())
  assert.deepEqual([secret?.secret_digest, others], [sha256(client_secret), []])
})

test('a client that a node of the release before wrote has the policies that it did not know (issue 2 item 3)', async () => {
  const { workflow_state, agent_proof, default_grant, dpop_nonce, allow_bearer, allow_bearer_admin } =
    policiesSchema.parse({})
  const known = { workflow_state, agent_proof, default_grant, dpop_nonce, allow_bearer, allow_bearer_admin }
  await givenClient(ctx, 'a-node-before')
  const policies = JSON.stringify({ ...known, require_approval: true })
  await ctx.db.updateTable('client').set({ policies }).where('client_id', '=', 'a-node-before').execute()
  const expected = policiesSchema.parse({ require_approval: true })
  assert.deepEqual((await findClient(ctx, 'a-node-before'))?.policies, expected)
  assert.deepEqual((await getClients(ctx, { limit: 1 })).items[0]?.policies, expected)
  assert.deepEqual((await transaction(ctx, tx => lockClient(tx, 'a-node-before')))?.policies, expected)
})

test('a client with a key set has no secret, and only the canonical members of its keys (section 11)', async () => {
  const key = await generateKey()
  const keys = [{ ...key.jwk, kid: 'k1', use: 'sig' }]
  const body = clientBody({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })
  const created = await run(ctx, tx => createClient(tx, caller(), body))
  assert.match(created.client_id, /^cli_[A-Za-z0-9_-]{22}$/)
  assert.deepEqual(created.jwks, { keys: [{ ...key.jwk, kid: 'k1' }] })
  assert.equal('client_secret' in created, false)
})

test('[attack 118] a caller gives only admin scopes that its own token has (section 11)', async () => {
  const body = clientBody({ access: [{ resource: ctx.config.adminAudience, scope: 'admin:clients approve:agents' }] })
  const some = caller({ scope: ['admin:clients'] })
  const refusal = await refused(run(ctx, tx => createClient(tx, some, body)))
  assert.deepEqual(refusal, { code: 'forbidden', reason: 'admin_scope_not_held' })
})

test('access names registered resources and scopes that exist, of ours too (section 11)', async () => {
  const refusals = [
    [{ resource: 'https://unknown.example', scope: 'read' }, 'unknown_resource'],
    [{ resource: CRM, scope: 'read delete' }, 'unknown_scope'],
    [{ resource: ctx.config.issuer, scope: 'register:everything' }, 'unknown_scope'],
    [{ resource: `${ctx.config.issuer}/`, scope: 'register:intent' }, 'unknown_resource'],
    [{ resource: ctx.config.adminAudience, scope: 'admin:everything' }, 'unknown_scope'],
  ] as const
  for (const [entry, reason] of refusals) {
    const refusal = await refused(run(ctx, tx => createClient(tx, caller(), clientBody({ access: [entry] }))))
    assert.deepEqual(refusal, { code: 'invalid_request', reason })
  }
})

test('a refusal says which resource is not registered, in one short line that hides nothing (section 11)', async () => {
  const create = (resource: string) => {
    const body = clientBody({ access: [{ resource: 'https://x.example', scope: 'read' }] })
    return run(ctx, tx => createClient(tx, caller(), { ...body, access: [{ resource, scope: 'read' }] }))
  }
  const sentence = 'The access names a resource that is not registered: '
  await assert.rejects(create('http://127.0.0.1:4000'), { message: `${sentence}http://127.0.0.1:4000` })
  await assert.rejects(create('https://x.example/\u200b'), { message: `${sentence}https://x.example/⟦U+200B⟧` })
  await assert.rejects(create(`https://x.example/${'a'.repeat(2_000)}`), ({ message }: Error) => message.length < 300)
})

test('access names neither a revoked resource nor one that came to lie below us (section 11)', async () => {
  const below = `${ctx.config.issuer}/below`
  const old = { resource: 'https://old.example', scopes: [{ name: 'read' }] }
  await run(ctx, tx => createResource(tx, caller(), resourceCreateSchema.parse(old)))
  const { db } = ctx
  await db.updateTable('resource').set({ status: 'revoked' }).where('resource', '=', old.resource).execute()
  const moved: Context = { ...ctx, config: { ...ctx.config, issuer: 'https://elsewhere.example' } }
  await run(moved, tx => createResource(tx, caller(), resourceCreateSchema.parse({ ...old, resource: below })))
  for (const resource of [old.resource, below]) {
    const body = clientBody({ access: [{ resource, scope: 'read' }] })
    const refusal = await refused(run(ctx, tx => createClient(tx, caller(), body)))
    assert.deepEqual(refusal, { code: 'invalid_request', reason: 'unknown_resource' })
  }
})

test('a client has no key of ours, and an RSA key stays bound to its one algorithm (section 11, RFC 8725 section 3.1)', async () => {
  const method = { token_endpoint_auth_method: 'private_key_jwt' }
  const ours = ctx.keys.published().find(key => key.alg === 'ES256')
  const { kid: _, alg: __, use: ___, ...own } = ours ?? assert.fail('no key')
  const taken = clientBody({ ...method, jwks: { keys: [own] } })
  const refusal = await refused(run(ctx, tx => createClient(tx, caller(), taken)))
  assert.deepEqual(refusal, { code: 'invalid_request', reason: 'own_key' })
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { kty, n, e } = publicKey.export({ format: 'jwk' })
  const bound = clientBody({ ...method, jwks: { keys: [{ kty, n, e, alg: 'PS256' }] } })
  const created = await run(ctx, tx => createClient(tx, caller(), bound))
  assert.deepEqual(created.jwks, { keys: [{ kty, n, e, alg: 'PS256' }] })
})

test('[attack 94] a name is given out once, also after its client was revoked (section 9)', async () => {
  await givenClient(ctx, 'gone')
  await revokeClient(ctx, 'gone')
  const again = clientBody({ client_id: 'gone' })
  const refusal = await refused(run(ctx, tx => createClient(tx, caller(), again)))
  assert.deepEqual(refusal, { code: 'conflict', reason: 'client_id_taken' })
})

test('[attack 97] members that are not the caller’s to set, or not built, are refused (section 11)', () => {
  for (const member of ['status', 'created_by', 'client_secret', 'scopes', 'secrets', 'updated_at', 'role']) {
    assert.throws(() => clientBody({ [member]: 'x' }))
  }
  for (const policy of ['limits', 'consent', 'shim', 'agent_keys', 'workflow_state']) {
    assert.throws(() => clientBody({ policies: { [policy]: 1 } }))
  }
})

test('limits of executions are whole numbers, and within what the server bears (section 6)', () => {
  const limits = { max_tokens: 16, max_children: 16, max_nodes: 256 }
  assert.deepEqual(clientBody({}).policies.limits, limits)
  for (const [name, least, most] of [
    ['max_tokens', 1, 1_000],
    ['max_children', 0, 256],
    ['max_nodes', 1, 10_000],
  ] as const) {
    for (const n of [least, most]) {
      assert.equal(clientBody({ policies: { limits: { ...limits, [name]: n } } }).policies.limits[name], n)
    }
    for (const n of [least - 1, most + 1, 1.5, '16', null]) {
      assert.throws(() => clientBody({ policies: { limits: { ...limits, [name]: n } } }), `${name} ${n}`)
    }
  }
  assert.throws(() => clientBody({ policies: { limits: { ...limits, max_depth: 1 } } }))
})

test('executions are recorded unless the client says asserted; whoever said so keeps it (section 6)', async () => {
  const stateOf = async (client_id: string) => (await findClient(ctx, client_id))?.policies.workflow_state
  await givenClient(ctx, 'records')
  await givenClient(ctx, 'asserts', { policies: { workflow_state: 'asserted' } })
  assert.deepEqual([await stateOf('records'), await stateOf('asserts')], ['recorded', 'asserted'])
  // What is stored, and not only what is read: a later default changes no client.
  const { policies } = await ctx.db
    .selectFrom('client')
    .select('policies')
    .where('client_id', '=', 'records')
    .executeTakeFirstOrThrow()
  assert.equal(policies.workflow_state, 'recorded')

  const change = (client_id: string, sent: object) =>
    run(ctx, tx => changeClient(tx, caller(), client_id, clientUpdateSchema.parse({ policies: sent })))
  for (const client_id of ['records', 'asserts']) {
    const before = await stateOf(client_id)
    await change(client_id, { require_approval: true })
    assert.equal(await stateOf(client_id), before)
  }
  await change('asserts', { workflow_state: 'recorded' })
  await change('records', { workflow_state: 'asserted' })
  assert.deepEqual([await stateOf('records'), await stateOf('asserts')], ['asserted', 'recorded'])
  assert.throws(() => clientUpdateSchema.parse({ policies: { workflow_state: 'believed' } }))
})

test('a client of the release before stays asserted, and has the limits that it did not know (issue 4)', async () => {
  const { limits, ...before } = policiesSchema.parse({ workflow_state: 'asserted' })
  await givenClient(ctx, 'a-release-before')
  const policies = JSON.stringify(before)
  await ctx.db.updateTable('client').set({ policies }).where('client_id', '=', 'a-release-before').execute()
  assert.deepEqual((await findClient(ctx, 'a-release-before'))?.policies, { ...before, limits })
  assert.deepEqual(limits, { max_tokens: 16, max_children: 16, max_nodes: 256 })
})

test('[attack 98] policies are not coerced into another type', () => {
  for (const require_approval of ['true', 1, null, [true]])
    assert.throws(() => clientBody({ policies: { require_approval } }))
})

test('in production a client that mints registers itself only with require_approval (section 4)', async () => {
  const production: Context = { ...ctx, config: { ...ctx.config, production: true } }
  const access = [{ resource: ctx.config.issuer, scope: 'generate:intent-token register:intent' }]
  const workflows = [{ resource: ctx.config.issuer, scope: 'generate:intent-token register:workflow' }]
  for (const both of [access, workflows]) {
    const refusal = await refused(createClient(production, caller(), clientBody({ access: both })))
    assert.deepEqual(refusal, { code: 'invalid_request', reason: 'approval_policy_missing' })
  }
  for (const scope of ['generate:intent-token read:agents', 'register:intent register:workflow']) {
    const one = clientBody({ access: [{ resource: ctx.config.issuer, scope }] })
    assert.equal((await createClient(production, caller(), one)).status, 201)
  }
  const approved = clientBody({ access, policies: { require_approval: true } })
  assert.equal((await createClient(production, caller(), approved)).status, 201)
  assert.equal((await createClient(ctx, caller(), clientBody({ access }))).status, 201)
})

test('in production it cannot register either where it was created elsewhere (section 4)', async () => {
  const app = await givenClient(ctx, 'from-development')
  const production: Context = { ...ctx, config: { ...ctx.config, production: true } }
  const refusal = await refused(register(production, app, agentBody('from-development')))
  assert.deepEqual(refusal, { code: 'unauthorized_client', reason: 'approval_policy_missing' })
  const ci = await givenClient(ctx, 'from-ci', { registers_for: ['from-development'] })
  assert.equal((await register(production, ci, agentBody('from-development'))).status, 'active')
})

test('[attack 118] our own resources are nobody’s to register, in no spelling (section 3)', async () => {
  const { issuer } = ctx.config
  for (const resource of [
    issuer,
    `${issuer}/`,
    `${issuer}/admin`,
    `${issuer}/admin/v1`,
    `${issuer}?x=1`,
    issuer.toUpperCase(),
  ]) {
    const body = resourceCreateSchema.parse({ resource, scopes: [{ name: 'read' }] })
    const refusal = await refused(run(ctx, tx => createResource(tx, caller(), body)))
    assert.deepEqual(refusal, { code: 'invalid_request', reason: 'own_resource' })
  }
})

test('[attack 118] an issuer with a path owns itself and what is below it, and neither name is handed on (section 3)', () => {
  const issuer = 'https://idp.example/op'
  const own = { issuer, adminAudience: `${issuer}/admin` }
  for (const resource of [issuer, `${issuer}?x=1`, `${issuer}/x`]) assert.equal(isOwnResource(resource, own), true)
  for (const resource of [`${issuer}x`, 'https://idp.example/']) assert.equal(isOwnResource(resource, own), false)
  const crm = { resource: CRM, scope: 'read' }
  const all = [crm, ...[own.issuer, own.adminAudience].map(resource => ({ resource, scope: 'x' }))]
  assert.deepEqual(grantableAccess(all, own), [crm])
})

test('a grant is wider by its access or by work outside of workflows (section 4)', () => {
  const rights = (scope: string, outside_workflow: boolean) => ({
    access: [{ resource: CRM, scope }],
    outside_workflow,
  })
  assert.equal(isNoWider(rights('read', false), rights('read write', true)), true)
  assert.equal(isNoWider(rights('read', true), rights('read', true)), true)
  assert.equal(isNoWider(rights('read write', false), rights('read', true)), false)
  assert.equal(isNoWider(rights('read', true), rights('read', false)), false)
})

test('a resource is registered once; the client that introspects for it must exist (section 11)', async () => {
  const twice = resourceCreateSchema.parse({ resource: CRM, scopes: [{ name: 'read' }] })
  const taken = { code: 'conflict', reason: 'resource_taken' }
  assert.deepEqual(await refused(run(ctx, tx => createResource(tx, caller(), twice))), taken)
  const lost = resourceCreateSchema.parse({ resource: 'https://x.example', scopes: [{ name: 'a' }], client_id: 'none' })
  const unknown = { code: 'invalid_request', reason: 'unknown_client' }
  assert.deepEqual(await refused(run(ctx, tx => createResource(tx, caller(), lost))), unknown)
  await givenClient(ctx, 'was-here')
  await revokeClient(ctx, 'was-here')
  const orphan = { ...lost, client_id: 'was-here' }
  assert.deepEqual(await refused(run(ctx, tx => createResource(tx, caller(), orphan))), unknown)
})

test('[attack 109] lists go on where they stopped, and only by a cursor of ours', async () => {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await getClients(ctx, { limit: 2, ...(cursor !== undefined && { cursor }) })
    assert(page.items.length <= 2)
    ids.push(...page.items.map(item => item.client_id))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  assert.equal(new Set(ids).size, ids.length)
  const { rows } = { rows: await ctx.db.selectFrom('client').select('client_id').execute() }
  assert.equal(ids.length, rows.length)
  assert.equal((await refused(getClients(ctx, { limit: 2, cursor: 'c2hvcA' }))).reason, 'forged_cursor')
})
