import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { MAX_REFUSALS } from '../../src/protocol/refusal-counts.ts'
import type { HolderKey } from '../../src/protocol/sign.ts'
import { transaction } from '../../src/server/context.ts'
import { addSecret } from '../../src/server/registry/client-secrets.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import { type Drop, type RefusalReporterOptions, refusalReporter } from '../../src/verifier/refusal-reporter.ts'
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
  const drops: Drop[] = []
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

  for (const token_endpoint_auth_method of ['client_secret_basic', 'client_secret_post'] as const) {
    const { client, resource } = await givenApi({ token_endpoint_auth_method, jwks: undefined })
    const { client_id } = client
    const client_secret = await transaction(app.ctx, tx => addSecret(tx, client_id))
    const secret = { client_id, client_secret, token_endpoint_auth_method }
    const reporter = refusalReporter({ issuer, resource, client: secret, now: clock.now })
    reporter.onRefusal({ reason: 'token_aud' })
    await reporter.flush()
    assert.equal((await recorded(client)).size, 1, token_endpoint_auth_method)
  }
})

test("a client that the server refuses is dropped at once with the server's word, and the next report tried anew", async () => {
  const { client } = await givenApi()
  const { client_id } = client
  const cases: readonly [Partial<RefusalReporterOptions>, number, string][] = [
    [{ client: { client_id, key: holderOf(await generateKey()) } }, 401, 'invalid_client'],
    [{ client: { client_id, client_secret: 'not-the-secret' } }, 401, 'invalid_client'],
  ]
  for (const [options, status, error] of cases) {
    const { refuse, flush, wire, drops } = await reporterOf(options)
    refuse('exp_passed', 3)
    await flush()
    assert.deepEqual(drops, [{ n: 3, status, error }])
    await flush()
    assert.equal(wire.calls('/oauth/token'), 1)
    refuse('token_aud')
    await flush()
    assert.deepEqual(drops.at(-1), { n: 1, status, error })
    assert.equal(wire.calls('/oauth/token'), 2)
  }
  const scopeless = await reporterOf({}, { access: [{ resource: issuer, scope: 'register:intent' }] })
  scopeless.refuse('exp_passed')
  await scopeless.flush()
  assert.deepEqual(scopeless.drops, [{ n: 1, status: 400, error: 'invalid_scope' }])
})

test('a token endpoint that is busy is asked again; what is no word of a server is not passed on', async () => {
  const answers = [429, 503, 500]
  const asked: string[] = []
  const send: typeof fetch = async input => {
    asked.push(new URL(String(input)).pathname)
    const status = answers.shift() ?? 400
    return Response.json({ error: status === 400 ? 'eyJhbGciOi.a secret' : 'temporarily_unavailable' }, { status })
  }
  const { refuse, flush, drops } = await reporterOf({ fetch: send })
  refuse('exp_passed', 2)
  for (let attempt = 0; attempt < 6; attempt += 1) await flush()
  assert.deepEqual(asked, Array(4).fill('/oauth/token'))
  assert.deepEqual(drops, [{ n: 2, status: 400, error: undefined }])
})

test('without a listener what was given up is one line on standard error, at most one a minute', async t => {
  const lines: unknown[][] = []
  t.mock.method(console, 'error', (...line: unknown[]) => void lines.push(line))
  const wire = network()
  const { client } = await givenApi()
  const { onRefusal, flush } = refusalReporter({
    ...{ issuer, interval: 3600, fetch: wire.fetch, now: clock.now },
    client: { client_id: client.client_id, client_secret: 'not-the-secret' },
  })
  const drop = async (n: number) => {
    for (let i = 0; i < n; i += 1) onRefusal({ reason: 'exp_passed' })
    await flush()
  }
  await drop(4)
  clock.advance(59)
  await drop(1)
  const line = (n: number) => [`${n} refusals could not be reported: the server answered 401 invalid_client.`]
  assert.deepEqual(lines, [line(4)])
  clock.advance(1)
  await drop(2)
  assert.deepEqual(lines, [line(4), line(2)])
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
  assert.deepEqual(drops, [{ n: 9, status: undefined, error: undefined }])
  assert.deepEqual(await recorded(client), new Set([[{ reason: 'dpop_ath', n: 1 }]]))
})

test('what the server understood and refused is not tried again', async () => {
  const { refuse, flush, wire, drops } = await reporterOf({ resource: 'https://not-of-this-client.example.com' })
  refuse('exp_passed', 4)
  await flush()
  await flush()
  assert.deepEqual(drops, [{ n: 4, status: 403, error: 'forbidden' }])
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

test('reports go out by themselves, exactly one an interval and none without a refusal', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const sent: unknown[] = []
  let arrived = Promise.withResolvers<void>()
  const send: typeof fetch = async (input, init) => {
    const isToken = new URL(String(input)).pathname === '/oauth/token'
    if (isToken) return Response.json({ access_token: 'token', expires_in: 300 })
    sent.push(JSON.parse(String(init?.body)).counts)
    arrived.resolve()
    return Response.json({})
  }
  const { refuse, flush } = await reporterOf({ interval: 10, fetch: send })
  for (const reason of ['exp_passed', 'token_aud']) {
    arrived = Promise.withResolvers()
    refuse(reason, 2)
    // What was counted goes at once where the time has come: the third is in time only if it has not.
    t.mock.timers.tick(9_999)
    refuse(reason)
    t.mock.timers.tick(1)
    refuse(reason)
    await arrived.promise
    // Joins the one under way; the last refusal is due an interval later.
    await flush()
    assert.deepEqual(sent.at(-1), [{ reason, n: 3 }])
    arrived = Promise.withResolvers()
    t.mock.timers.tick(10_000)
    await arrived.promise
    await flush()
    assert.deepEqual(sent.at(-1), [{ reason, n: 1 }])
    t.mock.timers.tick(60_000)
    await flush()
  }
  assert.equal(sent.length, 4)
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
