import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportTrail } from '../../src/cli/audit-export.ts'
import { type AuditRowView, auditRowSchema } from '../../src/protocol/audit-views.ts'
import { type Answer, type Attempt, agentGrant, clientCredentials, send, tokenRequest } from '../attacks/attempt.ts'
import { givenWorld } from '../attacks/given.ts'
import { testKey } from '../protocol/forge.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { type Call, caller, readerOf } from './given.ts'

const ROUNDS = 3

const world = await givenWorld()
const { app, ctx } = world
const admin = await givenAdmin(app)
const registrar = await givenClient(app, { policies: { require_approval: true } })
const asAdmin = caller(app, admin, 'admin')
const asAuditor = caller(app, admin, 'admin', 'audit:read')
const asRegistrar = caller(app, registrar, 'issuer', 'register:intent read:agents')

/** What the witness writes down of one request: the row that must be there, whoever wrote it. */
type Seen = Pick<AuditRowView, 'action' | 'outcome' | 'reason' | 'client_id' | 'agent_id' | 'jti' | 'request_id'>
type Counted = { endpoint: string; reason: string; n: number }

const seen: Seen[] = []
let counted = new Map<string, Counted>()

function write(row: Omit<Seen, 'agent_id' | 'jti'> & Partial<Seen>): void {
  seen.push({ agent_id: null, jti: null, ...row })
  // Rows of one millisecond have no order among themselves.
  app.clock.advance(1)
}

function countRefusal(endpoint: string, reason: string): void {
  const key = `${endpoint} ${reason}`
  counted.set(key, { endpoint, reason, n: (counted.get(key)?.n ?? 0) + 1 })
}

function requestId({ headers }: Answer): string {
  return String(headers['x-request-id'])
}

function jtiOf(answer: Answer): string {
  const payload = String(answer.body.access_token).split('.')[1] ?? ''
  return String(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).jti)
}

async function mint(attempt: Attempt, agent_id: string | null = null): Promise<string> {
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  const { client_id } = attempt.client
  const jti = jtiOf(answer)
  write({
    action: 'token.issue',
    outcome: 'success',
    reason: null,
    client_id,
    agent_id,
    jti,
    request_id: requestId(answer),
  })
  return String(answer.body.access_token)
}

async function refuse(attempt: Attempt, reason: string, agent_id: string | null = null): Promise<void> {
  const answer = await send(world, attempt)
  assert.ok(answer.status >= 400, answer.text)
  const { client_id } = attempt.client
  write({ action: 'token.issue', outcome: 'refused', reason, client_id, agent_id, request_id: requestId(answer) })
}

async function unheard(attempt: Attempt, reason: string): Promise<void> {
  assert.ok((await send(world, attempt)).status >= 400)
  countRefusal(attempt.path, reason)
}

type Acted = { action: string; reason?: string; client_id: string; agent_id?: string }

async function act(call: Call, method: string, path: string, body: unknown, expected: Acted) {
  const answer = await call(method, path, body)
  const { action, reason = null, client_id, agent_id = null } = expected
  assert.equal(answer.status < 400, reason === null, JSON.stringify(answer.body))
  const outcome = reason === null ? 'success' : 'refused'
  write({ action, outcome, reason, client_id, agent_id, request_id: answer.request_id })
  return answer.body
}

function agentBody(agent_id: string, prompt_template = 'Witnessed.') {
  return { app_id: registrar.client_id, agent_components: { agent_id, prompt_template, tools: [] } }
}

/** Every kind of request of the run; `round` makes names that are new. */
const KINDS: readonly ((round: number) => Promise<unknown>)[] = [
  () => mint(clientCredentials(world)),
  () => mint(agentGrant(world, '/intent/token', world.solo), 'solo'),
  () => mint(agentGrant(world, '/oauth/token', world.solo), 'solo'),
  async () => {
    const attempt = agentGrant(world, '/intent/token', world.solo)
    attempt.params = { ...attempt.params, computed_checksum: 'a'.repeat(64) }
    await refuse(attempt, 'agent_checksum_mismatch', 'solo')
  },
  async () => {
    const attempt = agentGrant(world, '/oauth/token', world.solo)
    await refuse({ ...attempt, params: { ...attempt.params, agent_id: 'nobody' } }, 'unknown_agent', 'nobody')
  },
  async () => {
    const key = testKey('ES256')
    const attempt = agentGrant(world, '/intent/token', world.solo)
    const proof = attempt.proof && { ...attempt.proof, key, header: { ...attempt.proof.header, jwk: key.jwk } }
    await refuse({ ...attempt, proof }, 'agent_key_mismatch', 'solo')
  },
  async () => {
    const attempt = agentGrant(world, '/oauth/token', world.solo)
    await refuse({ ...attempt, params: { ...attempt.params, scope: 'write' } }, 'invalid_scope', 'solo')
  },
  async () => {
    const attempt = clientCredentials(world)
    await refuse({ ...attempt, params: { ...attempt.params, resource: 'https://else.example' } }, 'invalid_target')
  },
  () => refuse(agentGrant(world, '/intent/token', world.planner), 'workflow_required', 'planner'),
  async () => {
    const attempt = clientCredentials(world)
    await mint(attempt)
    await refuse(attempt, 'assertion_replayed')
  },
  async () => {
    const first = clientCredentials(world)
    await mint(first)
    await refuse({ ...clientCredentials(world), proof: first.proof }, 'dpop_replayed')
  },
  async () => {
    const token = await mint(clientCredentials(world))
    // Introspection answers and writes nothing.
    assert.equal((await send(world, tokenRequest(world, '/oauth/introspect', world.client, token))).body.active, true)
    const answer = await send(world, tokenRequest(world, '/oauth/revoke', world.client, token))
    const jti = seen.at(-1)?.jti ?? null
    const { client_id } = world.client
    write({ action: 'token.revoke', outcome: 'success', reason: null, client_id, jti, request_id: requestId(answer) })
  },
  round =>
    act(asRegistrar, 'POST', '/intent/register/agent', agentBody(`fresh-${round}`), {
      action: 'agent.register',
      client_id: registrar.client_id,
      agent_id: `fresh-${round}`,
    }),
  async round => {
    const agent_id = `twice-${round}`
    const about = { action: 'agent.register', client_id: registrar.client_id, agent_id }
    const { registration_id, checksum } = await act(
      asRegistrar,
      'POST',
      '/intent/register/agent',
      agentBody(agent_id),
      about,
    )
    await act(asRegistrar, 'POST', '/intent/register/agent', agentBody(agent_id), {
      ...about,
      reason: 'duplicate_agent',
    })
    const path = `/admin/v1/agents/${registrar.client_id}/${agent_id}/approve`
    const other = { registration_id, checksum: 'b'.repeat(64) }
    await act(asAdmin, 'POST', path, other, { ...about, action: 'agent.approve', reason: 'other_checksum' })
    await act(asAdmin, 'POST', path, { registration_id, checksum }, { ...about, action: 'agent.approve' })
    const revocation = { kind: 'agent', id: `${registrar.client_id}/${agent_id}`, reason: 'seen' }
    await act(asAdmin, 'POST', '/admin/v1/revocations', revocation, { ...about, action: 'revocation.create' })
  },
  () =>
    act(
      asAdmin,
      'POST',
      '/admin/v1/revocations',
      { kind: 'agent', id: 'no/body', reason: 'x' },
      {
        action: 'revocation.create',
        reason: 'not_found',
        client_id: admin.client_id,
      },
    ),
  () =>
    act(asAdmin, 'GET', '/admin/v1/clients/nobody', undefined, {
      action: 'read',
      reason: 'not_found',
      client_id: 'nobody',
    }),
  // A read that is answered, of anything but the trail, leaves nothing.
  async () => assert.equal((await asAdmin('GET', '/admin/v1/clients')).status, 200),
  () =>
    act(asAuditor, 'GET', '/admin/v1/clients', undefined, {
      action: 'request',
      reason: 'insufficient_scope',
      client_id: admin.client_id,
    }),
  async () => {
    const attempt = clientCredentials(world)
    const assertion = attempt.assertion && { ...attempt.assertion, key: testKey('ES256') }
    await unheard({ ...attempt, assertion }, 'jws_signature')
  },
  () => unheard({ ...clientCredentials(world), body: '%%%' }, 'malformed_percent_encoding'),
  () => unheard({ ...agentGrant(world, '/intent/token', world.solo), body: '{"' }, 'json_malformed'),
  async () => {
    assert.equal((await fetch(`${app.adminUrl}/admin/v1/clients`)).status, 401)
    countRefusal('/admin/v1/clients', 'token_missing')
  },
  async () => {
    assert.equal(
      (await fetch(`${app.issuer}/intent/agents/app`, { headers: { authorization: 'Bearer x' } })).status,
      401,
    )
    countRefusal('/intent/agents/:app_id', 'malformed_jws')
  },
  // A page that is not there is nobody's business.
  async () => assert.equal((await fetch(`${app.issuer}/nothing`)).status, 404),
]

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

/** As maintenance does each second. */
async function flush(): Promise<void> {
  await ctx.unauthenticated.flush(ctx)
  if (counted.size === 0) return
  write({ action: 'request.refuse', outcome: 'refused', reason: 'unauthenticated', client_id: null, request_id: '' })
  expectedCounts.push([...counted.values()])
  counted = new Map()
}

const expectedCounts: Counted[][] = []

test('the export of a run equals what a witness outside saw, row by row, nothing more and nothing less (reliability.md section 5)', async () => {
  // Tokens for the two APIs first: what is witnessed begins after.
  await asAdmin('GET', '/admin/v1/clients')
  await asRegistrar('GET', `/intent/agents/${registrar.client_id}`)
  await asAuditor('GET', '/admin/v1/clients')
  app.clock.advance(1)
  const since = app.clock.now().toISOString()
  let requests = 0
  for (const run of mixed()) {
    await run()
    requests += 1
    if (requests % 7 === 0) await flush()
  }
  await flush()
  assert.ok(requests >= 60)

  const lines: string[] = []
  const summary = await exportTrail(readerOf(asAuditor), { since }, async text => lines.push(text))
  const rows = lines
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => auditRowSchema.parse(JSON.parse(line)))
  // Who reads the trail leaves a row before it reads.
  const reading = rows.pop()
  assert.deepEqual([reading?.action, reading?.actor, reading?.outcome], ['audit.read', admin.client_id, 'success'])
  assertSame(rows.map(shortened), seen)
  const counts = rows.filter(row => row.action === 'request.refuse').map(row => row.details.counts)
  assert.deepEqual(
    counts.map(withoutAddress),
    expectedCounts.map(entries => entries.map(sorted)).map(list => list.sort()),
  )
  assert.deepEqual([summary.rows, summary.verified, summary.mismatches], [rows.length + 1, rows.length + 1, []])
})

function shortened({ action, outcome, reason, client_id, agent_id, jti, request_id }: AuditRowView): Seen {
  return { action, outcome, reason, client_id, agent_id, jti, request_id }
}

function sorted({ endpoint, reason, n }: Counted): string {
  return `${endpoint} ${reason} ${n}`
}

function withoutAddress(counts: unknown): string[] {
  const entries: Counted[] = Array.isArray(counts) ? counts : []
  return entries.map(sorted).sort()
}

/** Row by row, so that a failure names the one that differs. */
function assertSame(rows: readonly Seen[], expected: readonly Seen[]): void {
  for (const [at, row] of rows.entries()) assert.deepEqual(row, expected[at], `row ${at}`)
  assert.equal(rows.length, expected.length)
}
