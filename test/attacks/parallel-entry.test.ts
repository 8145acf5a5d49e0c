import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { Answer } from './attempt.ts'
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

type Round = {
  readonly execution_id: string
  readonly step: 'once' | 'often'
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
  return { execution_id: newId(), step: n % 2 === 0 ? 'once' : 'often', first: n % 4 < 2 ? 'one' : 'two', answers: [] }
})
await insertWorkflow()
await insertExecutions(rounds.map(round => round.execution_id))

test('[attack 74] 1,000 rounds: two nodes that enter one step at once make one entry, and of what cannot be undone one token (section 6)', async t => {
  const started = performance.now()
  const queue = [...rounds]
  const worker = async () => {
    for (let round = queue.pop(); round; round = queue.pop()) round.answers.push(...(await playRound(round)))
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
  const milliseconds = Math.round(performance.now() - started)

  const entries = await entriesOf()
  const wrong = rounds.filter(({ execution_id, step, answers }) => {
    const expected = step === 'once' ? ['200,limit_exceeded', 'once 1 1'] : ['200,200', 'often 1 2']
    return answers.toSorted().join() !== expected[0] || entries.get(execution_id) !== expected[1]
  })
  assert.deepEqual(wrong.slice(0, 3), [])
  assert.equal(entries.size, ROUNDS)
  // As many tokens as were answered, and as the executions count.
  const tokens = (ROUNDS / 2) * 3
  assert.deepEqual(await counted(), { recorded: tokens, minted: tokens })
  // The race was run: either node won what only one could have.
  const wins = rounds.filter(({ step, answers }) => step === 'once' && answers[0] === '200').length
  assert.ok(wins > ROUNDS / 20 && wins < ROUNDS / 2 - ROUNDS / 20, `${wins} rounds won by node one`)
  t.diagnostic(`${ROUNDS} rounds, ${2 * ROUNDS} mints, ${milliseconds} ms; of ${ROUNDS / 2} node one won ${wins}`)
})

test('[attack 72] [attack 120] PoC: what was registered and entered is known after kill -9 of the node that knew it (section 6)', async () => {
  assert.ok(agent)
  const execution_id = newId()
  await insertExecutions([execution_id])
  const ask = () => nodes.prepareMint(agent, { workflow_id: 'race', workflow_step: 'once', execution_id })
  assert.equal(outcomeOf(await ask()('two')), '200')
  await nodes.killAndRestart('two')
  for (const node of ['two', 'one'] as const) assert.equal(outcomeOf(await ask()(node)), 'limit_exceeded')
})

/** @returns what node one was answered, and what node two: 200, or why not */
async function playRound({ execution_id, step, first }: Round): Promise<readonly string[]> {
  assert.ok(agent)
  const asked = { workflow_id: 'race', workflow_step: step, execution_id }
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
async function insertExecutions(ids: readonly string[]): Promise<void> {
  const opened_at = new Date()
  const execution = {
    ...{ client_id: 'app', workflow_id: 'race', workflow_version: 1, initiated_by: 'app', opened_by: 'app' },
    ...{ access: null, intent_digest: null, opening: null, limits: JSON.stringify(LIMITS_DEFAULT), opened_at },
    ...{ expires_at: new Date(opened_at.getTime() + HOUR), status: 'open' as const, ended_at: null, tokens: 0 },
  }
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH).map(execution_id => ({ execution_id, ...execution }))
    await db.insertInto('execution').values(batch).execute()
  }
}
