import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer } from './attempt.ts'
import { clientOfRound, insertRaces, prepareRace, type Race } from './race-rounds.ts'
import { startTwoNodes } from './two-nodes.ts'

const ROUNDS = 1_000
/** Rounds under way at once. */
const WIDTH = 4

const nodes = await startTwoNodes(ROUNDS + 2, n => (n < ROUNDS ? clientOfRound(n) : 'app'))
after(nodes.close)
const agents = nodes.agents.slice(0, ROUNDS)
const [helper, spare] = nodes.agents.slice(ROUNDS)
assert.ok(helper && spare)
await insertRaces(nodes.db, agents)

type Round = {
  readonly name: string
  readonly kind: string
  /** What was answered but for the refusal that is due. */
  readonly late: readonly number[]
  readonly minted: number
  readonly alive: number
}

test('[attack 116] 1,000 rounds of all eight kinds of revocation and of suspension, mixed: what starts after the answer mints nothing at either node, plain, in an execution or delegated (section 9)', async t => {
  const started = performance.now()
  const queue = [...agents.entries()]
  const rounds: Round[] = []
  const worker = async () => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      const [round, agent] = next
      rounds.push(await playRound(await prepareRace(nodes, agent, helper, round)))
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))

  assert.equal(rounds.length, ROUNDS)
  // A machine that is too busy answers 503, which mints nothing; nearly all are refused for what they are.
  const late = rounds.filter(round => round.late.some(status => status !== 503))
  assert.deepEqual(late, [], 'tokens minted by requests started after the 200')
  const busy = rounds.filter(round => round.late.includes(503))
  assert.ok(busy.length < ROUNDS / 20, `${busy.length} rounds with a 503 after the 200`)
  const alive = rounds.filter(round => round.alive > 0)
  assert.deepEqual(alive, [], 'tokens alive at introspection after the 200')
  // The race was run: many mints were under way and some won.
  const minted = rounds.reduce((sum, round) => sum + round.minted, 0)
  assert.ok(minted > ROUNDS / 10, `${minted} early tokens`)
  // No kind is left out: each had its race, and lost mints to it.
  const kinds = Map.groupBy(rounds, round => round.kind)
  assert.equal(kinds.size, 9)
  for (const [kind, of] of kinds) assert.ok(of.length > ROUNDS / 25, `${of.length} rounds of ${kind}`)
  for (const [name, of] of Map.groupBy(rounds, round => round.name)) {
    t.diagnostic(`${of.length} rounds, ${of.reduce((sum, round) => sum + round.minted, 0)} early tokens: ${name}`)
  }
  t.diagnostic(`${ROUNDS} rounds, ${minted} early tokens, ${Math.round(performance.now() - started)} ms`)
})

test('[attack 42] [attack 120] a proof stays taken through kill -9 of the node that took it', async () => {
  const mint = nodes.prepareMint(spare)
  assert.equal((await mint('two')).status, 200)
  await nodes.killAndRestart('two')
  for (const node of ['two', 'one'] as const) {
    const answer = await mint(node)
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_dpop_proof'])
  }
})

/** Mints at both nodes race one revoke or suspension; then, the moment it has answered, two more are tried. */
async function playRound({ name, before, mint, stop, answers }: Race): Promise<Round> {
  const [left, right, lateTwo, lateOne] = [mint(), mint(), mint(), mint()]
  const racing = [left('one'), right('two')]
  const stopped = await answered(() => nodes.prepareStop(stop)())
  const late = await Promise.all([lateTwo('two'), lateOne('one')])
  assert.equal(stopped.status, answers.stop, `${name}: ${stopped.text}`)
  const early = tokensOf(await Promise.all(racing))
  const tokens = [...before, ...early]
  const alive = await Promise.all(tokens.map((token, n) => nodes.isActive(n % 2 === 0 ? 'two' : 'one', token)))
  return {
    ...{ name, kind: stop.kind, minted: early.length, alive: alive.filter(Boolean).length },
    late: late.map(({ status }) => status).filter(status => status !== answers.mint),
  }
}

/** What was answered 503 has not been answered: it is sent again. */
async function answered(send: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; attempt < 10; attempt += 1) {
    const answer = await send()
    if (answer.status !== 503) return answer
  }
  return await send()
}

function tokensOf(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ body }) => (typeof body.access_token === 'string' ? [body.access_token] : []))
}
