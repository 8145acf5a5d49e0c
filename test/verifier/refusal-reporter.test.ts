import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { MAX_REFUSALS } from '../../src/protocol/refusal-counts.ts'
import type { HolderKey } from '../../src/protocol/sign.ts'
import { transaction } from '../../src/server/context.ts'
import { addSecret } from '../../src/server/registry/client-secrets.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import { type RefusalReporterOptions, refusalReporter } from '../../src/verifier/refusal-reporter.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { type GivenClient, givenClient, givenResource } from '../support/given.ts'

const app = await startTestApp()
const { issuer, clock } = app
const access = [{ resource: issuer, scope: 'report:refusals' }]
let apis = 0

/** An API with a client of its own. */
async function givenApi(overrides: object = {}): Promise<{ client: GivenClient; resource: string }> {
  const client = await givenClient(app, { kind: 'service', access, ...overrides })
  apis += 1
  const resource = `https://api-${apis}.example.com`
  await givenResource(app, { resource, scopes: [{ name: 'read' }], client_id: client.client_id })
  return { client, resource }
}

type Line = { readonly path: string; status: number | undefined }

/** A network that can lose a request, or the answer to it; `line` is what the server was asked. */
function network() {
  const line: Line[] = []
  const faults: ('request' | 'answer')[] = []
  const send: typeof fetch = async (input, init) => {
    const path = new URL(String(input)).pathname
    const fault = path === '/intent/refusals' ? faults.shift() : undefined
    if (fault === 'request') throw new TypeError('fetch failed')
    const response = await fetch(input, init)
    line.push({ path, status: response.status })
    if (fault === 'answer') throw new TypeError('terminated')
    return response
  }
  return { line, faults, fetch: send, calls: (path: string) => line.filter(call => call.path === path).length }
}

async function reporterOf(more: Partial<RefusalReporterOptions> = {}, overrides: object = {}) {
  const { client, resource } = await givenApi(overrides)
  const { client_id, key } = client
  const wire = network()
  const drops: { n: number; status: number | undefined }[] = []
  const reporter = refusalReporter({
    ...{ issuer, now: clock.now, fetch: wire.fetch, interval: 3600, resource },
    client: { client_id, key: holderOf(key) },
    onDrop: drop => drops.push(drop),
    ...more,
  })
  const refuse = (reason: string, n = 1) => {
    for (let i = 0; i < n; i += 1) reporter.onRefusal({ reason })
  }
  return { ...reporter, refuse, wire, drops, client, resource }
}

function holderOf({ alg, privateKey, jwk }: TestKey): HolderKey {
  return { alg, privateKey, publicJwk: { kty: 'EC', crv: 'P-256', x: jwk.x ?? '', y: jwk.y ?? '' } }
}

/** What the trail has of a client, report by report; in no order, because the clock stands still. */
async function recorded({ client_id }: GivenClient): Promise<ReadonlySet<unknown>> {
  const rows = await app.ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'details'])
    .where('client_id', '=', client_id)
    .where('action', '=', 'refusal.report')
    .execute()
  return new Set(rows.map(({ outcome, details }) => (outcome === 'success' ? details.counts : outcome)))
}

test('what was refused is reported as counts by reason, for the API by name; nothing counted is nothing sent', async () => {
  const { refuse, flush, wire, client } = await reporterOf()
  await flush()
  assert.deepEqual(wire.line, [])
  refuse('exp_passed', 3)
  refuse('proof_replayed')
  await flush()
  await flush()
  assert.deepEqual(
    await recorded(client),
    new Set([
      [
        { reason: 'exp_passed', n: 3 },
        { reason: 'proof_replayed', n: 1 },
      ],
    ]),
  )
  assert.equal(wire.calls('/intent/refusals'), 1)
})

test('one token serves many reports, until shortly before it ends', async () => {
  const { refuse, flush, wire, client } = await reporterOf()
  for (const [seconds, tokens] of [
    [0, 1],
    [200, 1],
    [80, 2],
  ] as const) {
    clock.advance(seconds)
    refuse('token_aud')
    await flush()
    const got = wire.line.filter(({ path, status }) => path === '/oauth/token' && status === 200)
    assert.equal(got.length, tokens)
  }
  assert.equal((await recorded(client)).size, 3)
})

test('a client with a secret, and one whose proofs need a nonce (RFC 6749 section 2.3.1, RFC 9449 section 8)', async () => {
  const policies = { dpop_nonce: 'required' }
  const nonced = await reporterOf({}, { policies })
  nonced.refuse('token_aud')
  await nonced.flush()
  assert.equal((await recorded(nonced.client)).size, 1)

  const { client, resource } = await givenApi({ token_endpoint_auth_method: 'client_secret_basic', jwks: undefined })
  const { client_id } = client
  const client_secret = await transaction(app.ctx, tx => addSecret(tx, client_id))
  const reporter = refusalReporter({ issuer, resource, client: { client_id, client_secret }, now: clock.now })
  reporter.onRefusal({ reason: 'token_aud' })
  await reporter.flush()
  assert.equal((await recorded(client)).size, 1)
})

test('a report whose answer was lost is counted once all the same (protocol.md section 11, Idempotency-Key)', async () => {
  const { refuse, flush, wire, client, drops } = await reporterOf()
  wire.faults.push('request', 'answer')
  refuse('exp_passed', 2)
  await flush()
  refuse('exp_passed', 5)
  await flush()
  assert.deepEqual(await recorded(client), new Set([[{ reason: 'exp_passed', n: 2 }]]))
  await flush()
  assert.deepEqual(
    await recorded(client),
    new Set([[{ reason: 'exp_passed', n: 2 }], [{ reason: 'exp_passed', n: 5 }]]),
  )
  assert.deepEqual(drops, [])
})

test('a report is given up after five attempts, and said to be; later refusals are reported', async () => {
  const { refuse, flush, wire, client, drops } = await reporterOf()
  wire.faults.push(...Array(5).fill('request'))
  refuse('exp_passed', 7)
  refuse('token_aud', 2)
  for (let attempt = 1; attempt < 5; attempt += 1) await flush()
  assert.deepEqual(drops, [])
  refuse('dpop_ath')
  await flush()
  assert.deepEqual(drops, [{ n: 9, status: undefined }])
  assert.deepEqual(await recorded(client), new Set([[{ reason: 'dpop_ath', n: 1 }]]))
})

test('what the server understood and refused is not tried again', async () => {
  const { refuse, flush, wire, drops } = await reporterOf({ resource: 'https://not-of-this-client.example.com' })
  refuse('exp_passed', 4)
  await flush()
  await flush()
  assert.deepEqual(drops, [{ n: 4, status: 403 }])
  assert.equal(wire.calls('/intent/refusals'), 1)
})

test('a token that the server takes no more is got anew', async () => {
  const { refuse, flush, wire, client } = await reporterOf()
  refuse('exp_passed')
  await flush()
  const { jti } = await app.ctx.db
    .selectFrom('token')
    .select('jti')
    .where('client_id', '=', client.client_id)
    .executeTakeFirstOrThrow()
  const act = { reason: 'test', revoked_by: 'test', now: app.ctx.now() }
  await transaction(app.ctx, tx => insertRevocations(tx, [{ kind: 'token', id: jti }], act))
  refuse('token_aud')
  await flush()
  assert.equal(wire.line.at(-1)?.status, 401)
  await flush()
  assert.deepEqual(await recorded(client), new Set([[{ reason: 'exp_passed', n: 1 }], [{ reason: 'token_aud', n: 1 }]]))
})

test('memory is bounded: the 64th word and every word of another form count as other', async () => {
  const { refuse, flush, client } = await reporterOf()
  refuse('exp_passed', 2)
  refuse('Not A Word')
  refuse('x'.repeat(65))
  for (let at = 0; at < 1000; at += 1) refuse(`made_up_${at}`)
  await flush()
  assert.deepEqual(
    await recorded(client),
    new Set([
      [
        { reason: 'exp_passed', n: 2 },
        { reason: 'other', n: 1002 },
      ],
    ]),
  )
})

test('more of one reason than a report may hold goes with the next one', async () => {
  const { refuse, flush, client } = await reporterOf()
  refuse('exp_passed', MAX_REFUSALS + 1)
  await flush()
  await flush()
  assert.deepEqual(
    await recorded(client),
    new Set([[{ reason: 'exp_passed', n: MAX_REFUSALS }], [{ reason: 'exp_passed', n: 1 }]]),
  )
})

test('nothing that goes wrong reaches the API: no server, no scope, a listener that throws', async () => {
  const onDrop = () => {
    throw new Error('of the API')
  }
  const client = { client_id: 'nobody', key: holderOf(await generateKey()) }
  for (const lost of ['http://127.0.0.1:1', issuer]) {
    const { onRefusal, flush } = refusalReporter({ issuer: lost, client, onDrop, interval: 3600, now: clock.now })
    onRefusal({ reason: 'exp_passed' })
    for (let attempt = 0; attempt < 6; attempt += 1) await flush()
  }
})

test('reports go out by themselves, one every interval', async () => {
  const { promise: sent, resolve } = Promise.withResolvers<void>()
  const wire = network()
  const send: typeof fetch = async (input, init) => {
    const response = await wire.fetch(input, init)
    if (wire.calls('/intent/refusals') === 2) resolve()
    return response
  }
  const { refuse, client } = await reporterOf({ interval: 0.01, fetch: send })
  refuse('exp_passed')
  const again = setInterval(() => refuse('exp_passed'), 50)
  await sent
  clearInterval(again)
  assert.ok((await recorded(client)).size >= 2)
})

test('a reporter with something to report keeps no process alive', async () => {
  const script = `
    import { refusalReporter } from './src/verifier/refusal-reporter.ts'
    const client = { client_id: 'api', client_secret: 'x' }
    refusalReporter({ issuer: 'http://127.0.0.1:1', client, interval: 600 }).onRefusal({ reason: 'exp_passed' })
    console.log('counted')
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('../..', import.meta.url),
    timeout: 120_000,
  })
  assert.equal(stdout, 'counted\n')
})
