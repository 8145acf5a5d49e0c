import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { type ExecutionLimits, LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { testKey } from '../protocol/forge.ts'
import type { Answer } from './attempt.ts'
import { API } from './inserted.ts'
import { type NodeName, startTwoNodes } from './two-nodes.ts'

/* Two `remit serve` processes that enter the same step at the same moment (attacks.md 74). */

const ROUNDS = 1_000
/** Rounds under way at once. */
const WIDTH = 8
const BATCH = 250
const HOUR = 3_600_000

const STEPS = [
  { step_id: 'once', agent_id: 'agent-0', reversible: false },
  { step_id: 'often', agent_id: 'agent-0' },
]

/** What is raced for, and what both nodes together then have of it. */
const KINDS = {
  once: { step: 'once', limits: LIMITS_DEFAULT, answers: '200,limit_exceeded', entry: 'once 1 1' },
  often: { step: 'often', limits: LIMITS_DEFAULT, answers: '200,200', entry: 'often 1 2' },
  // Lowered by the execution, of a step that could be minted for again.
  lowered: {
    ...{ step: 'often', limits: { ...LIMITS_DEFAULT, max_tokens: 1 } },
    ...{ answers: '200,limit_exceeded', entry: 'often 1 1' },
  },
} as const
const ORDER = ['once', 'often', 'lowered', 'often'] as const

type Round = {
  readonly execution_id: string
  readonly kind: keyof typeof KINDS
  /** Which node is asked first, by a hair. */
  readonly first: NodeName
  readonly answers: string[]
}

const nodes = await startTwoNodes(1)
after(nodes.close)
const { db } = nodes
const [agent] = nodes.agents
assert.ok(agent)
const rounds = Array.from({ length: ROUNDS }, (_, n): Round => {
  const kind = ORDER[n % ORDER.length] ?? 'once'
  return { execution_id: newId(), kind, first: n % 8 < 4 ? 'one' : 'two', answers: [] }
})
await insertWorkflow()
for (const [kind, of] of Map.groupBy(rounds, round => round.kind)) {
  await insertExecutions(
    of.map(round => round.execution_id),
    KINDS[kind].limits,
  )
}

test('[attack 74] 1,000 rounds: two nodes that enter one step at once make one entry, and one token of what cannot be undone or where the execution lowered max_tokens to 1 (section 6)', async t => {
  const started = performance.now()
  const queue = [...rounds]
  const worker = async () => {
    for (let round = queue.pop(); round; round = queue.pop()) round.answers.push(...(await playRound(round)))
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
  const milliseconds = Math.round(performance.now() - started)

  const entries = await entriesOf()
  const wrong = rounds.filter(({ execution_id, kind, answers }) => {
    const expected = KINDS[kind]
    return answers.toSorted().join() !== expected.answers || entries.get(execution_id) !== expected.entry
  })
  assert.deepEqual(wrong.slice(0, 3), [])
  assert.equal(entries.size, ROUNDS)
  // As many tokens as were answered, and as the executions count.
  const tokens = (ROUNDS / 2) * 3
  assert.deepEqual(await counted(), { recorded: tokens, minted: tokens })
  // The race was run: either node won what only one could have.
  const wins = rounds.filter(({ kind, answers }) => kind !== 'often' && answers[0] === '200').length
  assert.ok(wins > ROUNDS / 20 && wins < ROUNDS / 2 - ROUNDS / 20, `${wins} rounds won by node one`)
  t.diagnostic(`${ROUNDS} rounds, ${2 * ROUNDS} mints, ${milliseconds} ms; of ${ROUNDS / 2} node one won ${wins}`)
})

test('[attack 72] [attack 120] PoC: what was entered is known after kill -9 of the node that knew it (section 6)', async () => {
  assert.ok(agent)
  const execution_id = newId()
  await insertExecutions([execution_id], LIMITS_DEFAULT)
  const ask = () => nodes.prepareMint(agent, { workflow_id: 'race', workflow_step: 'once', execution_id })
  assert.equal(outcomeOf(await ask()('two')), '200')
  await nodes.killAndRestart('two')
  for (const node of ['two', 'one'] as const) assert.equal(outcomeOf(await ask()(node)), 'limit_exceeded')
})

test('[attack 120] PoC: what was registered over HTTP outlives kill -9 of the node that answered, at once (sections 4 and 5)', async () => {
  const key = testKey('ES256')
  const agent_components = { agent_id: 'registered', prompt_template: 'You outlive your node.', tools: [] }
  const grant = { access: [{ resource: API, scope: 'read' }] }
  const made = await nodes.register('two', 'agent', { app_id: 'app', agent_components, public_key: key.jwk, grant })
  assert.deepEqual([made.status, made.body.status], [200, 'active'], made.text)
  const steps = [{ step_id: 'only', agent_id: 'registered' }]
  const workflow = await nodes.register('two', 'workflow', { workflow_id: 'kept', steps })
  const registered = { status: 'registered', workflow_id: 'kept', version: 1 }
  assert.deepEqual([workflow.status, workflow.body], [200, registered])

  const asked = { computed_checksum: String(made.body.checksum), workflow_id: 'kept', workflow_step: 'only' }
  const mint = () => nodes.prepareMint({ client_id: 'app', agent_id: 'registered', key }, asked)
  await nodes.killAndRestart('two', async () => {
    assert.equal(outcomeOf(await mint()('one')), '200')
  })
  assert.equal(outcomeOf(await mint()('two')), '200')
})

/** @returns what node one was answered, and what node two: 200, or why not */
async function playRound({ execution_id, kind, first }: Round): Promise<readonly string[]> {
  assert.ok(agent)
  const asked = { workflow_id: 'race', workflow_step: KINDS[kind].step, execution_id }
  const mints = { one: nodes.prepareMint(agent, asked), two: nodes.prepareMint(agent, asked) }
  const second = first === 'one' ? 'two' : 'one'
  const again = (node: NodeName, answer: Answer) => unlessBusy(answer, () => nodes.prepareMint(agent, asked)(node))
  const [early, late] = await Promise.all([mints[first](first), mints[second](second)])
  const outcomes = [await again(first, early), await again(second, late)].map(outcomeOf)
  return first === 'one' ? outcomes : outcomes.toReversed()
}

/** A machine that is too busy answers 503, which mints nothing: the mint is asked for again. */
async function unlessBusy(answer: Answer, ask: () => Promise<Answer>): Promise<Answer> {
  let last = answer
  for (let attempt = 1; last.status === 503 && attempt < 10; attempt += 1) last = await ask()
  return last
}

function outcomeOf({ status, body, text }: Answer): string {
  return status === 200 ? '200' : String(body.ajwt_error ?? text)
}

function newId(): string {
  return `exe_${randomBytes(16).toString('base64url')}`
}

async function entriesOf(): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom('execution_step').select(['execution_id', 'step_id', 'entries', 'tokens']).execute()
  assert.equal(rows.length, ROUNDS)
  return new Map(rows.map(row => [row.execution_id, `${row.step_id} ${row.entries} ${row.tokens}`]))
}

async function counted(): Promise<{ recorded: number; minted: number }> {
  const token = await db
    .selectFrom('token')
    .select(eb => eb.fn.countAll<string>().as('n'))
    .where('execution_id', 'is not', null)
    .executeTakeFirstOrThrow()
  const execution = await db
    .selectFrom('execution')
    .select(eb => eb.fn.sum<string>('tokens').as('n'))
    .executeTakeFirstOrThrow()
  return { recorded: Number(token.n), minted: Number(execution.n) }
}

async function insertWorkflow(): Promise<void> {
  const now = new Date()
  const { steps } = workflowRegistrationSchema.parse({ workflow_id: 'race', steps: STEPS })
  const workflow = { client_id: 'app', workflow_id: 'race', version: 1, status: 'active' as const }
  await db
    .insertInto('workflow')
    .values({ ...workflow, created_at: now })
    .execute()
  await db
    .insertInto('workflow_version')
    .values({
      ...{ ...workflow, definition: JSON.stringify({ steps }), definition_digest: Buffer.alloc(32) },
      ...{ agent_ids: JSON.stringify(['agent-0']), registered_at: now, registered_by: 'test' },
      ...{ registered_owner: 'user:local:app', approved_at: null, approved_by: null },
    })
    .execute()
}

/** Opened ahead, as POST /intent/executions does. */
async function insertExecutions(ids: readonly string[], limits: ExecutionLimits): Promise<void> {
  const opened_at = new Date()
  const execution = {
    ...{ client_id: 'app', workflow_id: 'race', workflow_version: 1, initiated_by: 'app', opened_by: 'app' },
    ...{ access: null, intent_digest: null, opening: null, limits: JSON.stringify(limits), opened_at },
    ...{ expires_at: new Date(opened_at.getTime() + HOUR), status: 'open' as const, ended_at: null, tokens: 0 },
  }
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH).map(execution_id => ({ execution_id, ...execution }))
    await db.insertInto('execution').values(batch).execute()
  }
}
