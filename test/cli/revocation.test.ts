import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coveredText } from '../../src/cli/revoke.ts'
import { workflowGraph } from '../../src/cli/workflow-graph.ts'
import { type RevocationAnswer, revocationAnswerSchema } from '../../src/protocol/revocation.ts'
import { type StepView, stepViewSchema } from '../../src/protocol/workflow-views.ts'

const NONE = { token: 0, registration: 0, agent: 0, client: 0, execution: 0, workflow: 0, initiator: 0, key: 0 }

function answer(members: Partial<RevocationAnswer>): RevocationAnswer {
  return revocationAnswerSchema.parse({
    kind: 'agent',
    id: 'app/planner',
    revoked: { ...NONE, agent: 1, ...members.revoked },
    delegations: 0,
    live_tokens: 0,
    live_tokens_at_least: false,
    revoked_at: '2026-01-01T00:00:00.000Z',
    ends_at: '2026-01-01T00:16:00.000Z',
    final: true,
    ...members,
  })
}

function step(step_id: string, members: Partial<StepView> = {}): StepView {
  const flags = { required: false, approval_gate: false, requires_approval: false }
  return stepViewSchema.parse({
    step_id,
    agent_id: null,
    action: null,
    access: null,
    dependencies: [],
    ...flags,
    ...members,
  })
}

test('a revocation says in words how much it stopped (section 9)', () => {
  const some = answer({ live_tokens: 12, revoked: { ...NONE, agent: 1, token: 3 } })
  assert.equal(coveredText(some), 'Revoked agent app/planner.\n12 live tokens stop; 3 delegated ones with them.')
  const one = answer({ kind: 'token', id: 'j', live_tokens: 1, revoked: { ...NONE, token: 2 } })
  assert.equal(coveredText(one), 'Revoked token j.\n1 live token stops; 1 delegated one with it.')
  const flow = answer({ kind: 'workflow', id: 'a/w', live_tokens: 4, revoked: { ...NONE, workflow: 1, token: 4 } })
  assert.equal(coveredText(flow), 'Revoked workflow a/w.\n4 live tokens stop.')
  const client = answer({
    kind: 'client',
    id: 'app',
    live_tokens: 2,
    revoked: { ...NONE, client: 1, execution: 2 },
    delegations: 3,
  })
  assert.equal(
    coveredText(client),
    'Revoked client app.\n2 live tokens stop.\n2 open executions end with it.\nNothing more is minted under 3 delegations that descend from it.',
  )
  const run = answer({ kind: 'execution', id: 'exe_1', revoked: { ...NONE, execution: 1 }, delegations: 1 })
  assert.equal(
    coveredText(run),
    'Revoked execution exe_1.\n0 live tokens stop.\nNothing more is minted under 1 delegation that descends from it.',
  )
  const key = answer({
    kind: 'key',
    id: 'k',
    live_tokens: 10_000,
    live_tokens_at_least: true,
    revoked: { ...NONE, key: 3 },
  })
  assert.equal(
    coveredText(key),
    'Revoked key k.\nAt least 10000 live tokens stop.\n2 keys that it endorsed go with it.',
  )
  const initiator = answer({ kind: 'initiator', id: 'user:a:\u001b[31m', final: false, note: 'Mind this.' })
  assert.equal(
    coveredText(initiator),
    'Revoked initiator user:a:?[31m.\n0 live tokens stop.\nIt stands until 2026-01-01T00:16:00.000Z.\nMind this.',
  )
})

test('a workflow is drawn as an indented graph, each step once, in order (section 5)', () => {
  const access = [{ resource: 'https://api.test', scope: 'read write' }]
  const steps = [
    step('plan', { agent_id: 'planner', required: true }),
    step('gate', { approval_gate: true, dependencies: ['plan'] }),
    step('look', { dependencies: ['plan'], action: 'reads\u202e all' }),
    step('apply', { agent_id: 'worker', requires_approval: true, dependencies: ['plan', 'gate'], access }),
    step('report', { agent_id: 'worker' }),
  ]
  assert.deepEqual(workflowGraph(steps).split('\n'), [
    '1  plan  planner  (required)',
    '2  └─ gate  a person decides  (approval gate)',
    '4     └─ apply  worker  (requires approval)  after plan, gate  may read write at https://api.test',
    '3  └─ look  any agent  does reads? all',
    '5  report  worker',
  ])
})
