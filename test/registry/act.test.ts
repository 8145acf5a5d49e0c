import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { z } from 'zod'
import { OAuthError } from '../../src/protocol/errors.ts'
import { Problem } from '../../src/protocol/problem.ts'
import type { Caller } from '../../src/server/caller.ts'
import { act, type Outcome, read } from '../../src/server/registry/act.ts'
import { listAuditRows } from '../../src/server/store/audit.ts'
import { insertSecret } from '../../src/server/store/client-secrets.ts'
import { purgeIdempotency } from '../../src/server/store/idempotency.ts'
import { startTestApp } from '../support/app.ts'
import { caller, EVENT, givenClient, givenResources, refused, sha256 } from './given.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
await givenClient(ctx, 'app')

const answer = z.object({ id: z.number(), secret: z.string().optional() })
type Body = z.output<typeof answer>
let made = 0

function once(): Promise<Outcome<Body>> {
  made += 1
  return Promise.resolve({
    status: 201,
    body: { id: made, secret: 'canary-secret' },
    replayBody: { id: made },
    audit: { details: { made } },
  })
}

function fresh(over: Partial<Caller> = {}): Caller {
  const expires_at = new Date(ctx.now().getTime() + 70_000)
  return caller({ proof: { kind: 'dpop', owner: 'jkt', jti: randomUUID(), expires_at }, ...over })
}

function asked(over: { key?: string; body?: unknown; endpoint?: string } = {}) {
  return { endpoint: 'POST /x', body: { a: 1 }, answer, ...over }
}

async function lastAudit(request_id: string) {
  const rows = await listAuditRows(ctx, {}, { order: 'desc', limit: 50 })
  return rows
    .filter(row => row.request_id === request_id)
    .map(({ action, outcome, reason, details }) => ({ action, outcome, reason, details }))
}

test('an act takes its proof once and writes one audit row (protocol.md section 3)', async () => {
  const by = fresh({ request_id: 'act-once' })
  const done = await act(ctx, by, { ...EVENT, details: { asked: 1 } }, asked(), once)
  assert.deepEqual(done, { status: 201, body: { id: made, secret: 'canary-secret' }, replayed: false })
  const details = { asked: 1, made, caller: 'admin', acting_owner: 'user:local:root' }
  const row = { action: 'agent.register', outcome: 'success', reason: null, details }
  assert.deepEqual(await lastAudit('act-once'), [row])
})

test('[attack 130] a proof that was used does nothing and is recorded as refused (RFC 9449 section 11.1)', async () => {
  const by = fresh({ request_id: 'act-replay' })
  await act(ctx, by, EVENT, asked(), once)
  const before = made
  assert.deepEqual(await refused(act(ctx, by, EVENT, asked(), once)), {
    code: 'invalid_dpop_proof',
    reason: 'proof_replayed',
  })
  assert.equal(made, before)
  const outcomes = (await lastAudit('act-replay')).map(row => `${row.outcome} ${row.reason}`)
  assert.deepEqual(outcomes.sort(), ['refused proof_replayed', 'success null'])
})

test('one proof in ten requests at once does one act (RFC 9449 section 11.1)', async () => {
  const by = fresh()
  const before = made
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => act(ctx, by, EVENT, asked(), once)))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  assert.equal(made, before + 1)
})

test('a refusal leaves nothing of the act, but its proof is taken and the refusal is recorded (section 3)', async () => {
  for (const error of [
    new OAuthError('invalid_request', 'No.', { reason: 'because' }),
    new Problem('conflict', 'No.', 'because'),
  ]) {
    const by = fresh({ request_id: `act-refused-${error.name}` })
    const secret = { client_id: 'app', secret_digest: sha256(randomUUID()), created_at: ctx.now(), expires_at: null }
    const attempt = act(ctx, by, EVENT, asked({ key: `k-${error.name}` }), async tx => {
      await insertSecret(tx, secret)
      throw error
    })
    assert.equal((await refused(attempt)).reason, 'because')
    const kept = await ctx.db
      .selectFrom('client_secret')
      .select('client_id')
      .where('secret_digest', '=', secret.secret_digest)
      .execute()
    assert.deepEqual(kept, [])
    assert.equal((await refused(act(ctx, by, EVENT, asked(), once))).reason, 'proof_replayed')
    const outcomes = (await lastAudit(by.request_id)).map(row => `${row.outcome} ${row.reason}`)
    assert.deepEqual(outcomes.sort(), ['refused because', 'refused proof_replayed'])
    // The key is free: nothing was answered under it.
    assert.equal((await act(ctx, fresh(), EVENT, asked({ key: `k-${error.name}` }), once)).replayed, false)
  }
})

test('a bug is no refusal: it takes nothing and leaves no row', async () => {
  const by = fresh({ request_id: 'act-bug' })
  const bug = act(ctx, by, EVENT, asked(), () => Promise.reject(new TypeError('bug')))
  await assert.rejects(bug, TypeError)
  assert.deepEqual(await lastAudit('act-bug'), [])
  await act(ctx, by, EVENT, asked(), once)
})

test('[attack 120] a repeat under the same key does nothing and answers without the secret (section 11)', async () => {
  const first = await act(ctx, fresh(), EVENT, asked({ key: 'same' }), once)
  const again = await act(ctx, fresh(), EVENT, asked({ key: 'same' }), once)
  assert.deepEqual(again, { status: 201, body: { id: first.body.id }, replayed: true })
  const stored = await ctx.db
    .selectFrom('idempotency')
    .select('response_body')
    .where('idempotency_key', '=', 'same')
    .execute()
  assert.deepEqual(stored, [{ response_body: { id: first.body.id } }])
})

test('[attack 120] the same key with another body or endpoint is refused (section 11)', async () => {
  await act(ctx, fresh(), EVENT, asked({ key: 'reused' }), once)
  for (const other of [{ body: { a: 2 } }, { endpoint: 'POST /y' }]) {
    assert.deepEqual(await refused(act(ctx, fresh(), EVENT, asked({ key: 'reused', ...other }), once)), {
      code: 'idempotency_key_reused',
      reason: 'idempotency_key_reused',
    })
  }
})

test('a key belongs to its client (section 11)', async () => {
  await act(ctx, fresh(), EVENT, asked({ key: 'mine' }), once)
  const other = await act(ctx, fresh({ client_id: 'other', sub: 'other' }), EVENT, asked({ key: 'mine' }), once)
  assert.equal(other.replayed, false)
})

test('[attack 120] ten requests at once under one key do one act (section 11)', async () => {
  const before = made
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => act(ctx, fresh(), EVENT, asked({ key: 'parallel' }), once)),
  )
  assert.equal(made, before + 1)
  assert.equal(answers.filter(done => done.replayed).length, 9)
  assert.deepEqual(new Set(answers.map(done => done.body.id)), new Set([made]))
})

test('a key is free again after 24 hours, whether or not it was purged (section 11)', async () => {
  await act(ctx, fresh(), EVENT, asked({ key: 'old' }), once)
  clock.advance(86_399)
  assert.equal((await act(ctx, fresh(), EVENT, asked({ key: 'old' }), once)).replayed, true)
  clock.advance(1)
  assert.equal((await act(ctx, fresh(), EVENT, asked({ key: 'old', body: 'other' }), once)).replayed, false)
  clock.advance(86_401)
  await purgeIdempotency(ctx, ctx.now())
  assert.deepEqual(await ctx.db.selectFrom('idempotency').select('idempotency_key').execute(), [])
})

test('a read takes its proof once; only a refused one leaves a row (section 3)', async () => {
  const by = fresh({ request_id: 'read' })
  assert.equal(await read(ctx, by, { details: {} }, () => Promise.resolve(7)), 7)
  assert.deepEqual(await lastAudit('read'), [])
  assert.equal((await refused(read(ctx, by, { details: {} }, () => Promise.resolve(7)))).reason, 'proof_replayed')
  assert.deepEqual(
    (await lastAudit('read')).map(row => `${row.action} ${row.outcome} ${row.reason}`),
    ['read refused proof_replayed'],
  )
})

test('a key belongs to its subject: nobody is given the answer of another who uses the same client (section 11)', async () => {
  const as = (sub: string) => fresh({ client_id: 'desk', sub, acting_owner: sub })
  const first = await act(ctx, as('user:staff:alice'), EVENT, asked({ key: 'desk' }), once)
  assert.deepEqual(await refused(act(ctx, as('user:staff:bob'), EVENT, asked({ key: 'desk' }), once)), {
    code: 'idempotency_key_reused',
    reason: 'idempotency_key_reused',
  })
  const again = await act(ctx, as('user:staff:alice'), EVENT, asked({ key: 'desk' }), once)
  assert.deepEqual(again, { status: 201, body: { id: first.body.id }, replayed: true })
})
