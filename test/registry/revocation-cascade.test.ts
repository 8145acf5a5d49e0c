import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { TokenHolder } from '../../src/server/store/revocation-coverage.ts'
import { startTestApp } from '../support/app.ts'
import { givenDelegated, givenDelegationFrom, givenTokenUnder } from '../support/delegated.ts'
import { agentBody, givenClient, givenResources, register, registerFlow } from './given.ts'
import { givenExecution } from './given-execution.ts'
import { entries, givenToken, NONE, revoke as revokeIn } from './given-revocation.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)

const revoke = (kind: string, id: string) => revokeIn(ctx, kind, id)
const later = (seconds: number) => new Date(ctx.now().getTime() + seconds * 1000)
let clients = 0

type Scene = TokenHolder & { readonly agent_id: string; readonly registration_id: string }

/** A client of its own with agent `planner` and a workflow `w` of one step. */
async function scene(): Promise<Scene> {
  clients += 1
  const client_id = `cascade-${clients}`
  const app = await givenClient(ctx, client_id)
  const { registration_id } = await register(ctx, app, agentBody(client_id))
  await registerFlow(ctx, app, [{ step_id: 'plan', agent_id: 'planner' }])
  return { client_id, agent_id: 'planner', registration_id }
}

type Members = Parameters<typeof givenToken>[2]

/** A token of the planner, one delegated from it, and one delegated from that: two delegations. */
async function chain({ client_id, registration_id, agent_id }: Scene, members: Members = {}) {
  const root = await givenToken(ctx, client_id, { agent_id, registration_id, jkt: `key-of-${client_id}`, ...members })
  const { workflow_id = null, initiated_by = null } = members
  const first = await givenDelegationFrom(ctx, root)
  const child = await givenTokenUnder(ctx, first, { agent_id: 'second', workflow_id, initiated_by })
  const second = await givenDelegationFrom(ctx, child)
  const grandchild = await givenTokenUnder(ctx, second, { agent_id: 'third', workflow_id, initiated_by })
  return { root, child, grandchild, delegations: [first, second] }
}

async function ended(delegation_ids: readonly string[]): Promise<boolean[]> {
  const rows = await ctx.db
    .selectFrom('delegation')
    .select(['delegation_id', 'revoked_at'])
    .where('delegation_id', 'in', delegation_ids)
    .execute()
  return delegation_ids.map(id => rows.some(row => row.delegation_id === id && row.revoked_at !== null))
}

/** Of each token whether it has an entry of its own, and whether it is marked for good. */
async function killed(jtis: readonly string[]): Promise<[boolean, boolean][]> {
  const found = new Set((await entries(ctx, 'token')).map(entry => entry.id))
  const rows = await ctx.db.selectFrom('token').select(['jti', 'revoked_at']).where('jti', 'in', jtis).execute()
  const marked = new Set(rows.flatMap(row => (row.revoked_at === null ? [] : [row.jti])))
  return jtis.map(jti => [found.has(jti), marked.has(jti)])
}

async function executionOf(execution_id: string) {
  return await ctx.db
    .selectFrom('execution')
    .select(['status', 'ended_at'])
    .where('execution_id', '=', execution_id)
    .executeTakeFirstOrThrow()
}

type Case = {
  readonly kind: 'token' | 'registration' | 'agent' | 'client' | 'workflow' | 'initiator'
  readonly id: (scene: Scene, root: string) => string
  readonly members?: (scene: Scene) => Members
  /** Entries and marks of the first token, the one below it, and the one below that. */
  readonly killed: readonly [boolean, boolean][]
  readonly tokens: number
}

const DEAD: [boolean, boolean] = [true, true]
/** An entry of its own, and no mark: what was delegated from it has one. */
const SENT: [boolean, boolean] = [true, false]
/** The entry itself matches it. */
const MATCHED: [boolean, boolean] = [false, false]

const CASES: readonly Case[] = [
  { kind: 'token', id: (_, root) => root, killed: [DEAD, DEAD, DEAD], tokens: 3 },
  {
    kind: 'registration',
    id: ({ registration_id }) => registration_id,
    killed: [MATCHED, DEAD, DEAD],
    tokens: 2,
  },
  { kind: 'agent', id: ({ client_id }) => `${client_id}/planner`, killed: [MATCHED, DEAD, DEAD], tokens: 2 },
  { kind: 'client', id: ({ client_id }) => client_id, killed: [MATCHED, MATCHED, MATCHED], tokens: 0 },
  {
    kind: 'workflow',
    id: ({ client_id }) => `${client_id}/w`,
    members: () => ({ workflow_id: 'w' }),
    killed: [SENT, SENT, SENT],
    tokens: 3,
  },
  {
    kind: 'initiator',
    id: ({ client_id }) => `agent:${client_id}:planner`,
    members: ({ client_id }) => ({ initiated_by: `agent:${client_id}:planner` }),
    killed: [MATCHED, MATCHED, MATCHED],
    tokens: 0,
  },
]

for (const { kind, id, members, killed: expected, tokens } of CASES) {
  test(`revoking a ${kind} ends what was delegated from it for good, and nothing else (section 9)`, async () => {
    const own = await scene()
    const other = await chain(await scene())
    const { root, child, grandchild, delegations } = await chain(own, members?.(own))
    const answer = await revoke(kind, id(own, root))
    const revoked = { ...NONE, token: tokens }
    if (kind !== 'token') revoked[kind] += 1
    assert.deepEqual([answer.revoked, answer.delegations], [revoked, 2])
    assert.deepEqual(await ended(delegations), [true, true])
    assert.deepEqual(await killed([root, child, grandchild]), expected)
    assert.deepEqual(await ended(other.delegations), [false, false])
    assert.deepEqual(await killed([other.root, other.child]), [
      [false, false],
      [false, false],
    ])
    assert.equal((await revoke('token', other.root)).delegations, 2)
  })
}

test('a key ends the delegations that it signed and those that it was to present, and what is below (section 9)', async () => {
  const own = await scene()
  const signed = await chain(own)
  const [presented, below] = (await chain(own, { jkt: `other-key-of-${own.client_id}` })).delegations
  assert.ok(presented && below)
  const jkt = Buffer.alloc(32, clients).toString('base64url')
  await ctx.db
    .updateTable('delegation')
    .set({ delegator_jkt: jkt })
    .where('delegation_id', '=', signed.delegations[0] ?? '')
    .execute()
  await ctx.db.updateTable('delegation').set({ jkt }).where('delegation_id', '=', presented).execute()
  const { revoked, delegations } = await revoke('key', jkt)
  assert.deepEqual([revoked, delegations], [{ ...NONE, key: 1, token: 4 }, 4])
  assert.deepEqual(await ended([...signed.delegations, presented, below]), [true, true, true, true])
})

test('a key of ours ends what was delegated from the tokens that it signed (section 9)', async () => {
  const { kid } = await ctx.keys.signer('PS256')
  const { delegations } = await chain(await scene(), { kid })
  assert.equal((await revoke('key', kid)).delegations, 2)
  assert.deepEqual(await ended(delegations), [true, true])
})

test('what descends across parents that have expired dies too; what has expired itself gets no entry (section 9)', async () => {
  const own = await scene()
  const root = await givenToken(ctx, own.client_id, { agent_id: 'planner', expires_at: later(-600) })
  const first = await givenDelegationFrom(ctx, root)
  const child = await givenTokenUnder(ctx, first, { agent_id: 'second', expires_at: later(-1) })
  const second = await givenDelegationFrom(ctx, child)
  const renewed = await givenTokenUnder(ctx, second, { agent_id: 'third' })
  const old = await givenDelegationFrom(ctx, root, { expires_at: later(-1) })
  const { revoked, delegations } = await revoke('agent', `${own.client_id}/planner`)
  assert.deepEqual([revoked, delegations], [{ ...NONE, agent: 1, token: 1 }, 2])
  assert.deepEqual(await killed([renewed, child]), [DEAD, MATCHED])
  assert.deepEqual(await ended([first, second, old]), [true, true, false])
})

test('a token of one presentation ends what was delegated from it, not what another of the same assertion did (section 9)', async () => {
  const own = await scene()
  const root = await givenToken(ctx, own.client_id, { agent_id: 'planner' })
  const shared = await givenDelegationFrom(ctx, root)
  const [one, two] = [await givenTokenUnder(ctx, shared), await givenTokenUnder(ctx, shared)]
  const [ofOne, ofTwo] = [await givenDelegated(ctx, one), await givenDelegated(ctx, two)]
  const { revoked, delegations } = await revoke('token', one)
  assert.deepEqual([revoked.token, delegations], [2, 1])
  assert.deepEqual(await killed([one, two, ofOne, ofTwo]), [DEAD, MATCHED, DEAD, MATCHED])
  assert.deepEqual(await ended([shared]), [false])
})

test('what other agents, versions and initiators of the same client delegated goes on (section 9)', async () => {
  const own = await scene()
  const { client_id, registration_id } = own
  const other = { agent_id: 'other', registration_id: 'reg_other', initiated_by: 'user:corp:other' }
  const root = await givenToken(ctx, client_id, other)
  const kept = await givenDelegationFrom(ctx, root)
  const child = await givenTokenUnder(ctx, kept)
  for (const [kind, id] of [
    ['agent', `${client_id}/planner`],
    ['registration', registration_id],
    ['initiator', `agent:${client_id}:planner`],
    ['workflow', `${client_id}/w`],
    ['key', Buffer.alloc(32, 255).toString('base64url')],
  ] as const) {
    assert.deepEqual([(await revoke(kind, id)).delegations, await ended([kept])], [0, [false]])
  }
  assert.deepEqual(await killed([root, child]), [MATCHED, MATCHED])
})

test('an execution is revoked for good, also closed or expired; its entry covers its tokens (section 9)', async () => {
  const own = await scene()
  const { client_id } = own
  const execution_id = await givenExecution(ctx, client_id, 'w')
  const { root, child, grandchild, delegations } = await chain(own, { execution_id })
  const answer = await revoke('execution', execution_id)
  const { kind, id, revoked, live_tokens, final } = answer
  assert.deepEqual(
    { kind, id, revoked, live_tokens, final, delegations: answer.delegations },
    {
      kind: 'execution',
      id: execution_id,
      revoked: { ...NONE, execution: 1 },
      live_tokens: 3,
      final: true,
      delegations: 2,
    },
  )
  assert.deepEqual(await executionOf(execution_id), { status: 'revoked', ended_at: ctx.now() })
  assert.deepEqual((await entries(ctx, 'execution')).slice(-1), [{ id: execution_id, seconds: 960 }])
  assert.deepEqual(await killed([root, child, grandchild]), [MATCHED, MATCHED, MATCHED])
  assert.deepEqual(await ended(delegations), [true, true])

  const ended_at = later(-60)
  const closed = await givenExecution(ctx, client_id, 'w', { status: 'closed', ended_at })
  const expired = await givenExecution(ctx, client_id, 'w', { expires_at: later(-60) })
  await revoke('execution', closed)
  await revoke('execution', expired)
  assert.deepEqual(await executionOf(closed), { status: 'revoked', ended_at })
  assert.deepEqual(await executionOf(expired), { status: 'revoked', ended_at: ctx.now() })
})

/** One execution in each state, of `client_id`. */
async function executions(client_id: string, initiated_by: string) {
  return {
    open: await givenExecution(ctx, client_id, 'w', { initiated_by }),
    closed: await givenExecution(ctx, client_id, 'w', { initiated_by, status: 'closed', ended_at: later(-1) }),
    expired: await givenExecution(ctx, client_id, 'w', { initiated_by, expires_at: later(-1) }),
  }
}

for (const kind of ['client', 'workflow', 'initiator'] as const) {
  test(`revoking a ${kind} revokes its open executions, and no others (section 9)`, async () => {
    const own = await scene()
    const user = `user:corp:${randomUUID()}`
    const { open, closed, expired } = await executions(own.client_id, user)
    const { open: foreign } = await executions((await scene()).client_id, 'user:corp:somebody')
    const { delegations } = await chain(own, { execution_id: open, workflow_id: 'w', initiated_by: user })
    const ids = { client: own.client_id, workflow: `${own.client_id}/w`, initiator: user }
    const { revoked, ...answer } = await revoke(kind, ids[kind])
    assert.deepEqual([revoked.execution, revoked[kind], answer.delegations], [1, 1, 2])
    assert.deepEqual(await ended(delegations), [true, true])
    const states = await Promise.all([open, closed, expired, foreign].map(executionOf))
    assert.deepEqual(
      states.map(({ status }) => status),
      ['revoked', 'closed', 'open', 'open'],
    )
    assert.deepEqual(states[0]?.ended_at, ctx.now())
    const written = (await entries(ctx, 'execution')).filter(({ id }) => id === open)
    assert.deepEqual(written, kind === 'client' ? [] : [{ id: open, seconds: 960 }])
  })
}

test('a workflow is sent as its open executions and as the tokens that these do not cover (section 9)', async () => {
  const { client_id } = await scene()
  const { open, closed } = await executions(client_id, 'user:corp:7')
  const ofFlow = { agent_id: 'planner', workflow_id: 'w' }
  const recorded = await givenToken(ctx, client_id, { ...ofFlow, execution_id: open })
  const asserted = await givenToken(ctx, client_id, ofFlow)
  const ofClosed = await givenToken(ctx, client_id, { ...ofFlow, execution_id: closed })
  const { revoked, live_tokens } = await revoke('workflow', `${client_id}/w`)
  assert.deepEqual([revoked, live_tokens], [{ ...NONE, workflow: 1, execution: 1, token: 3 }, 3])
  assert.deepEqual(await killed([recorded, asserted, ofClosed]), [MATCHED, SENT, SENT])
})

test('revoking again ends nothing twice, and finds what came since (section 9)', async () => {
  const own = await scene()
  const { root, delegations } = await chain(own)
  assert.equal((await revoke('token', root)).live_tokens, 1)
  clock.advance(1)
  assert.equal((await revoke('token', root)).live_tokens, 0)
  const since = await givenToken(ctx, own.client_id, { agent_id: own.agent_id })
  const again = await revoke('agent', `${own.client_id}/planner`)
  assert.deepEqual([again.revoked, again.delegations, again.live_tokens], [{ ...NONE, agent: 1 }, 0, 1])
  // The entry of the agent stands for the token that came since: nothing is left for its client to stop.
  assert.deepEqual(await killed([since]), [MATCHED])
  assert.equal((await revoke('client', own.client_id)).live_tokens, 0)
  const row = await ctx.db
    .selectFrom('delegation')
    .select('revoked_at')
    .where('delegation_id', '=', delegations[0] ?? '')
    .executeTakeFirstOrThrow()
  assert.deepEqual(row.revoked_at, later(-1))
})

for (const [kind, idOf] of Object.entries({
  client: ({ client_id }: Scene) => client_id,
  agent: ({ client_id }: Scene) => `${client_id}/planner`,
  registration: ({ registration_id }: Scene) => registration_id,
  execution: (_: Scene, execution_id: string) => execution_id,
  initiator: ({ client_id }: Scene) => `user:of:${client_id}`,
  key: ({ client_id }: Scene) => jktOf(client_id),
})) {
  test(`a token that is dead by the entry of its ${kind} stops no second time, and lives again where that was lifted (section 9)`, async () => {
    const own = await scene()
    const { client_id, agent_id, registration_id } = own
    const execution_id = await givenExecution(ctx, client_id, 'w')
    const initiated_by = `user:of:${client_id}`
    const members = {
      agent_id,
      registration_id,
      execution_id,
      initiated_by,
      jkt: jktOf(client_id),
      kid: `of-${client_id}`,
    }
    const jti = await givenToken(ctx, client_id, { ...members, workflow_id: 'w' })
    const counted = async (kind: string, id: string) => (await revoke(kind, id)).live_tokens
    const id = idOf(own, execution_id)
    const stops = [await counted(kind, id), await counted(kind, id), await counted('token', jti)]
    assert.deepEqual(stops, [1, 0, 0])
    await ctx.db.updateTable('token').set({ revoked_at: null }).where('jti', '=', jti).execute()
    await ctx.db.updateTable('revocation').set({ lifted_at: ctx.now() }).where('id', 'in', [id, jti]).execute()
    assert.equal(await counted('token', jti), 1)
  })
}

/** A thumbprint like any other. */
function jktOf(client_id: string): string {
  return client_id.padEnd(43, 'x')
}

test('the audit row of a revocation counts executions, tokens and delegations (section 9)', async () => {
  const own = await scene()
  const { client_id } = own
  const execution_id = await givenExecution(ctx, client_id, 'w')
  await chain(own, { execution_id })
  await revoke('client', client_id)
  const row = await ctx.db
    .selectFrom('audit_event')
    .select(['client_id', 'details'])
    .where('action', '=', 'revocation.create')
    .where(sql<boolean>`details ->> 'id' = ${client_id}`)
    .executeTakeFirstOrThrow()
  const said = { caller: 'admin', acting_owner: 'user:local:root', kind: 'client', id: client_id, reason: 'test' }
  const revoked = { ...NONE, client: 1, execution: 1 }
  assert.deepEqual(row, { client_id, details: { ...said, revoked, delegations: 2, live_tokens: 3 } })
})
