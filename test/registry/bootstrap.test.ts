import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import type { Context } from '../../src/server/context.ts'
import { bootstrap, bootstrapSchema, prepareBootstrapToken } from '../../src/server/registry/bootstrap.ts'
import { listAuditRows } from '../../src/server/store/audit.ts'
import { findClient, revokeClient } from '../../src/server/store/clients.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { refused } from './given.ts'

const app = await startTestApp()
const directory = await mkdtemp(join(tmpdir(), 'remit-bootstrap-'))
after(() => rm(directory, { recursive: true }))
const key = await generateKey()
const BODY = { client_name: 'Root', jwks: { keys: [key.jwk] }, owner: 'user:local:root' }
let addresses = 0

/** The server as if nobody ever administered it, with a token file of its own. */
async function locked(): Promise<{ ctx: Context; file: string }> {
  for (const table of ['bootstrap', 'audit_event', 'client'] as const) await app.ctx.db.deleteFrom(table).execute()
  const { ctx } = app
  addresses += 1
  const file = join(directory, `token-${addresses}`)
  return { ctx: { ...ctx, config: { ...ctx.config, bootstrapTokenFile: file } }, file }
}

function origin(address = `10.0.0.${addresses}`) {
  return { request_id: 'boot', address }
}

async function tokenOf(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim()
}

test('the token is generated once, 256 bits, for its owner’s eyes only (section 11)', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const token = await tokenOf(file)
  assert.match(token, /^[A-Za-z0-9_-]{44}$/)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  await prepareBootstrapToken(ctx)
  assert.equal(await tokenOf(file), token)
})

test('the token has its directory made, also where nothing else stands in it (section 11)', async () => {
  const { ctx, file } = await locked()
  const bootstrapTokenFile = join(`${file}-data`, 'bootstrap-token')
  await prepareBootstrapToken({ ...ctx, config: { ...ctx.config, bootstrapTokenFile } })
  assert.match(await tokenOf(bootstrapTokenFile), /^[A-Za-z0-9_-]{44}$/)
})

test('in production no token is ever generated (section 11)', async () => {
  const { ctx, file } = await locked()
  assert.equal(await prepareBootstrapToken({ ...ctx, config: { ...ctx.config, production: true } }), true)
  await assert.rejects(stat(file))
})

test('[attack 129] of fifty at once one is the first administrator, and the door is closed for ever', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const token = await tokenOf(file)
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => bootstrap(ctx, token, BODY, origin())))
  const won = results.flatMap(result => (result.status === 'fulfilled' ? [result.value.client_id] : []))
  assert.equal(won.length, 1)
  assert.equal((await ctx.db.selectFrom('client').select('client_id').execute()).length, 1)
  const admin = await findClient(ctx, won[0] ?? '')
  assert.deepEqual(admin && { kind: admin.kind, access: admin.access, method: admin.token_endpoint_auth_method }, {
    kind: 'operator',
    access: [{ resource: ctx.config.adminAudience, scope: ADMIN_SCOPES.join(' ') }],
    method: 'private_key_jwt',
  })
  const audit = await listAuditRows(ctx, {}, { order: 'desc', limit: 10 })
  assert.deepEqual(
    audit.map(row => [row.action, row.outcome, row.actor, row.client_id]),
    [['bootstrap', 'success', 'user:local:root', won[0] ?? '']],
  )
})

test('[attack 129] neither a file left lying nor the end of the last administrator opens it again', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const token = await tokenOf(file)
  const { client_id, ...answer } = await bootstrap(ctx, token, BODY, origin())
  assert.deepEqual(answer, { issuer: ctx.config.issuer })
  await assert.rejects(stat(file), 'a generated file has done its work')
  await revokeClient(ctx, client_id)
  await writeFile(file, token, { mode: 0o600 })
  assert.deepEqual(await refused(bootstrap(ctx, token, BODY, origin())), {
    code: 'conflict',
    reason: 'bootstrap_closed',
  })
  await rm(file)
  assert.equal(await prepareBootstrapToken(ctx), false)
  await assert.rejects(stat(file), 'no new token is made')
})

test('a wrong, empty, short or missing token opens nothing (section 11)', async () => {
  const { ctx, file } = await locked()
  const wrong = { code: 'unauthorized', reason: 'bootstrap_token' }
  assert.deepEqual(await refused(bootstrap(ctx, 'x', BODY, origin())), wrong)
  await writeFile(file, '\n', { mode: 0o600 })
  assert.deepEqual(await refused(bootstrap(ctx, '', BODY, origin())), wrong)
  await writeFile(file, 'short', { mode: 0o600 })
  assert.deepEqual(await refused(bootstrap(ctx, 'short', BODY, origin())), wrong)
  await writeFile(file, 'x'.repeat(21), { mode: 0o600 })
  assert.deepEqual(await refused(bootstrap(ctx, 'x'.repeat(21), BODY, origin())), wrong)
})

test('an operator’s own token file is left where it is, and opens nothing any more (section 11)', async () => {
  const { ctx, file } = await locked()
  const production: Context = { ...ctx, config: { ...ctx.config, production: true } }
  const token = 'x'.repeat(22)
  await writeFile(file, token, { mode: 0o600 })
  assert.match((await bootstrap(production, token, BODY, origin())).client_id, /^cli_/)
  assert.equal(await tokenOf(file), token)
  const again = { code: 'conflict', reason: 'bootstrap_closed' }
  assert.deepEqual(await refused(bootstrap(production, token, BODY, origin())), again)
})

test('[attack 97] the body names an owner as subjects are named, and nothing else (section 11)', () => {
  assert.equal(bootstrapSchema.safeParse(BODY).success, true)
  for (const other of [{ role: 'root' }, { owner: 'user:local:root\u0000' }, { client_name: '' }]) {
    assert.equal(bootstrapSchema.safeParse({ ...BODY, ...other }).success, false)
  }
})

test('a token file that others may read is not trusted (section 11)', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const token = await tokenOf(file)
  for (const mode of [0o640, 0o604]) {
    await chmod(file, mode)
    assert.equal((await refused(bootstrap(ctx, token, BODY, origin()))).reason, 'bootstrap_token')
  }
  await chmod(file, 0o600)
  assert.match((await bootstrap(ctx, token, BODY, origin())).client_id, /^cli_/)
})

test('[attack 119] guessing at the token is braked by address (section 11)', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const reasons = new Set<string>()
  for (let n = 0; n < 30; n += 1)
    reasons.add((await refused(bootstrap(ctx, `guess-${n}`, BODY, origin('10.9.9.9')))).reason)
  assert.deepEqual(reasons, new Set(['bootstrap_token', 'too_many_failures']))
  assert.equal(
    (await refused(bootstrap(ctx, await tokenOf(file), BODY, origin('10.9.9.9')))).reason,
    'too_many_failures',
  )
  assert.match((await bootstrap(ctx, await tokenOf(file), BODY, origin('10.9.9.8'))).client_id, /^cli_/)
})

test('a weak key makes no administrator and does not use the token up (section 11)', async () => {
  const { ctx, file } = await locked()
  await prepareBootstrapToken(ctx)
  const weak = { ...BODY, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }
  assert.equal((await refused(bootstrap(ctx, await tokenOf(file), weak, origin()))).code, 'invalid_request')
  assert.match((await bootstrap(ctx, await tokenOf(file), BODY, origin())).client_id, /^cli_/)
})

test('a token file that cannot be read is like none (section 11)', async () => {
  const { ctx, file } = await locked()
  await mkdir(file, { mode: 0o700 })
  assert.equal((await refused(bootstrap(ctx, 'x'.repeat(44), BODY, origin()))).reason, 'bootstrap_token')
})
