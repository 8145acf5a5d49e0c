import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { MAX_REFUSALS } from '../../src/protocol/refusal-counts.ts'
import { transaction } from '../../src/server/context.ts'
import { reportRefusals } from '../../src/server/registry/refusal-reports.ts'
import { deleteResource } from '../../src/server/registry/resource-changes.ts'
import { type Call, caller } from '../audit/given.ts'
import { startTestApp } from '../support/app.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAdmin,
  givenClient,
  givenResource,
} from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

const app = await startTestApp()
const admin = caller(app, await givenAdmin(app), 'admin')
const SCOPE = 'report:refusals'
const [API, SECOND, FOREIGN] = ['https://api.example.com', 'https://second.example.com', 'https://foreign.example.com']

/** A client that may report, and is named in the records of these resources. */
async function givenReporter(...resources: string[]): Promise<GivenClient> {
  const client = await givenClient(app, { kind: 'service', access: [{ resource: app.issuer, scope: SCOPE }] })
  for (const resource of resources) {
    await givenResource(app, { resource, scopes: [{ name: 'read' }], client_id: client.client_id })
  }
  return client
}

const reporter = await givenReporter(API, SECOND)
await givenReporter(FOREIGN)
const path = '/intent/refusals'

function reporting(client: GivenClient): Call {
  return caller(app, client, 'issuer', SCOPE)
}

/** The newest row of the trail for a request. */
async function rowOf(request_id: string) {
  const { items } = (await admin('GET', `/admin/v1/audit?request_id=${request_id}`)).body
  assert.ok(Array.isArray(items))
  const [{ action, outcome, reason, actor, jti, details }, ...others] = items
  assert.deepEqual(others, [])
  return { action, outcome, reason, actor, jti, details }
}

/** What the metrics hold, by reason. */
async function counted(): Promise<Record<string, number>> {
  const text = await (await fetch(`${app.adminUrl}/metrics`)).text()
  const lines = [...text.matchAll(/^remit_resource_refusals_total\{reason="([^"]*)"\} (\d+)$/gm)]
  return Object.fromEntries(lines.map(([, reason = '', n]) => [reason, Number(n)]))
}

test('[attack 110] a report is counted by reason, and is one row of the trail: known words only, the rest as other (protocol.md section 2)', async () => {
  const counts = [
    { reason: 'exp_passed', n: 40 },
    { reason: 'proof_replayed', n: 2 },
    { reason: 'exp_passed', n: 1 },
    { reason: 'canary_not_ours', n: 3 },
    { reason: 'constructor', n: 4 },
  ]
  const recorded = [
    { reason: 'exp_passed', n: 41 },
    { reason: 'proof_replayed', n: 2 },
    { reason: 'other', n: 7 },
  ]
  const before = await counted()
  const { status, body, request_id } = await reporting(reporter)('POST', path, { counts, resource: API })
  assert.deepEqual({ status, body }, { status: 200, body: { resources: [API], counts: recorded } })
  assert.deepEqual(await rowOf(request_id), {
    action: 'refusal.report',
    outcome: 'success',
    reason: null,
    actor: reporter.client_id,
    jti: null,
    details: { resources: [API], counts: recorded, caller: reporter.client_id, acting_owner: 'user:local:anna' },
  })
  assert.deepEqual(await counted(), { ...before, exp_passed: 41, proof_replayed: 2, other: 7 })
  const shown = await admin('GET', `/admin/v1/explain/${request_id}`)
  assert.match(JSON.stringify(shown.body), /exp_passed.*41/)
})

test('a report without a resource is about every API of the client (protocol.md section 2)', async () => {
  const { body } = await reporting(reporter)('POST', path, { counts: [{ reason: 'token_aud', n: 1 }] })
  assert.deepEqual(body.resources, [API, SECOND])
})

test('a report names any API of its client, be they more than one report is about (protocol.md section 2)', async () => {
  const apis = Array.from({ length: 65 }, (_, n) => `https://api-${String(n).padStart(2, '0')}.example.net`)
  const call = reporting(await givenReporter(...apis))
  const last = apis[64]
  const counts = [{ reason: 'token_aud', n: 1 }]
  const named = await call('POST', path, { counts, resource: last })
  assert.deepEqual([named.status, named.body.resources], [200, [last]])
  assert.deepEqual((await call('POST', path, { counts })).body.resources, apis.slice(0, 64))
})

test('only the client that the record of a resource names reports for it: 403 otherwise, and nothing is counted', async () => {
  const nobody = await givenReporter()
  const before = await counted()
  const counts = [{ reason: 'token_revoked', n: 5 }]
  for (const [client, body] of [
    [nobody, { counts }],
    [nobody, { counts, resource: API }],
    [reporter, { counts, resource: FOREIGN }],
    [reporter, { counts, resource: 'https://unknown.example.com' }],
  ] as const) {
    const answer = await reporting(client)('POST', path, body)
    assert.equal(answer.status, 403)
    assert.equal(answer.body.error, 'forbidden')
    const { outcome, reason, details } = await rowOf(answer.request_id)
    assert.deepEqual([outcome, reason], ['refused', 'not_client_of_resource'])
    assert.deepEqual(details, { caller: client.client_id, acting_owner: 'user:local:anna' })
  }
  assert.deepEqual(await counted(), before)
})

test('a person who uses the client of a resource does not report for it', async () => {
  const { client_id } = reporter
  const by = { client_id, sub: 'user:corp:anna', acting_owner: 'user:corp:anna', scope: [SCOPE], registers_for: [] }
  const report = { counts: [{ reason: 'token_aud', n: 1 }] }
  const called = { ...by, request_id: 'x', address: '127.0.0.1' }
  await assert.rejects(reportRefusals(app.ctx, called, report), { reason: 'not_client_of_resource' })
  const own = await reportRefusals(app.ctx, { ...called, sub: client_id }, report)
  assert.deepEqual(own.body.resources, [API, SECOND])
})

test('a resource that was deleted has nobody who reports for it (protocol.md section 9)', async () => {
  const gone = 'https://gone.example.com'
  const client = await givenReporter(gone)
  const report = { counts: [{ reason: 'token_aud', n: 1 }] }
  assert.equal((await reporting(client)('POST', path, report)).status, 200)
  await transaction(app.ctx, tx => deleteResource(tx, gone, 'not served any more'))
  assert.equal((await reporting(client)('POST', path, report)).status, 403)
})

test('a token without the scope report:refusals is refused before the body is read (protocol.md section 2)', async () => {
  const access = [{ resource: app.issuer, scope: `${SCOPE} read:agents` }]
  const client = await givenClient(app, { access })
  const token = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents' })
  const url = `${app.issuer}${path}`
  const headers = await boundHeaders(app, client, token, { method: 'POST', url })
  const response = await fetch(url, { method: 'POST', headers, body: '{' })
  assert.equal(response.status, 403)
  assert.equal((await jsonOf(response)).error, 'insufficient_scope')
})

test('[attack 97, 98] a body of another form is 400 and counts nothing', async () => {
  const before = await counted()
  const call = reporting(reporter)
  const one = { reason: 'token_aud', n: 1 }
  for (const body of [
    {},
    { counts: [] },
    { counts: Array.from({ length: 65 }, (_, at) => ({ reason: `reason_${at}`, n: 1 })) },
    { counts: [{ ...one, n: 0 }] },
    { counts: [{ ...one, n: MAX_REFUSALS + 1 }] },
    { counts: [{ ...one, n: 1.5 }] },
    { counts: [{ ...one, n: '1' }] },
    { counts: [{ ...one, reason: 'Has Space' }] },
    { counts: [{ ...one, reason: 'x'.repeat(65) }] },
    { counts: [{ ...one, reason: '' }] },
    { counts: [{ ...one, token: 'x' }] },
    { counts: [one], resource: 'no uri' },
    { counts: [one], jti: 'x' },
  ]) {
    assert.equal((await call('POST', path, body)).status, 400, JSON.stringify(body).slice(0, 80))
  }
  assert.deepEqual(await counted(), before)
  assert.equal((await call('POST', path, { counts: [{ ...one, n: MAX_REFUSALS }] })).status, 200)
})

test('the same report under one Idempotency-Key is counted once (protocol.md section 11)', async () => {
  const token = await accessToken(app, reporter, { resource: app.issuer, scope: SCOPE })
  const url = `${app.issuer}${path}`
  const key = randomUUID()
  async function send(n: number) {
    const bound = await boundHeaders(app, reporter, token, { method: 'POST', url })
    const headers = { ...bound, 'content-type': 'application/json', 'idempotency-key': key }
    const body = JSON.stringify({ counts: [{ reason: 'dpop_ath', n }] })
    const response = await fetch(url, { method: 'POST', headers, body })
    return { status: response.status, replayed: response.headers.get('idempotency-replayed') }
  }
  assert.deepEqual(await send(3), { status: 200, replayed: null })
  assert.deepEqual(await send(3), { status: 200, replayed: 'true' })
  assert.deepEqual(await send(4), { status: 422, replayed: null })
  assert.equal((await counted()).dpop_ath, 3)
})
