import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportTrail } from '../../src/cli/audit-export.ts'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { readerOf } from './given.ts'
import { type Counted, type Seen, seenIn } from './witness.ts'
import { actKinds } from './witnessed-acts.ts'
import { requestKinds } from './witnessed-requests.ts'
import { givenScene } from './witnessed-scene.ts'

const ROUNDS = 3

const scene = await givenScene()
const { app, asAdmin, asAuditor, asRegistrar, asApp, witness } = scene
const { seen, expectedCounts, flush } = witness
const KINDS = [...requestKinds(scene), ...actKinds(scene)]

/** The kinds of all rounds, mixed the same way at each run. */
function mixed(): (() => Promise<unknown>)[] {
  const all = Array.from({ length: ROUNDS }, (_, round) => KINDS.map(kind => () => kind(round))).flat()
  let state = 20_261_122
  return all
    .map(run => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return { run, at: state }
    })
    .sort((one, other) => one.at - other.at)
    .map(({ run }) => run)
}

test('the export of a run equals what a witness outside saw, row by row, nothing more and nothing less (reliability.md section 5)', async () => {
  // Tokens for the two APIs first: what is witnessed begins after.
  await asAdmin.call('GET', '/admin/v1/clients')
  await asRegistrar.call('GET', `/intent/agents/${asRegistrar.client_id}`)
  await asAuditor.call('GET', '/admin/v1/clients')
  await asApp.call('GET', '/intent/executions/none')
  app.clock.advance(1)
  const since = app.clock.now().toISOString()
  let requests = 0
  for (const run of mixed()) {
    await run()
    requests += 1
    if (requests % 7 === 0) await flush()
  }
  await flush()
  assert.ok(requests >= 90)

  const lines: string[] = []
  const summary = await exportTrail(readerOf(asAuditor.call), { since }, async text => lines.push(text))
  const rows = lines
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => auditRowSchema.parse(JSON.parse(line)))
  // Who reads the trail leaves a row before it reads.
  const reading = rows.pop()
  const { client_id, owner } = asAuditor
  const who = { actor: client_id, client_id, caller: client_id, acting_owner: owner }
  const { request_id, ...read } = seenIn(reading ?? assert.fail())
  assert.match(String(request_id), /^[0-9a-f-]{36}$/)
  assert.deepEqual(read, {
    ...{ at: app.clock.now().toISOString(), action: 'audit.read', outcome: 'success', reason: null },
    ...{ ...who, agent_id: null, execution_id: null, jti: null, address: '127.0.0.1', via: null },
  })
  assertSame(rows.map(seenIn), seen)
  const counts = rows.filter(row => row.action === 'request.refuse').map(row => row.details.counts)
  assert.deepEqual(counts.map(listOf), expectedCounts.map(listOf))
  assert.deepEqual([summary.rows, summary.verified, summary.mismatches], [rows.length + 1, rows.length + 1, []])
})

/** In an order that neither side has chosen. */
function listOf(counts: unknown): readonly string[] {
  const entries: readonly Counted[] = Array.isArray(counts) ? counts : []
  return entries.map(({ endpoint, reason, address, n }) => `${endpoint} ${reason} ${address} ${n}`).sort()
}

/** Row by row, so that a failure names the one that differs. */
function assertSame(rows: readonly Seen[], expected: readonly Seen[]): void {
  for (const [at, row] of rows.entries()) assert.deepEqual(row, expected[at], `row ${at}`)
  assert.equal(rows.length, expected.length)
}
