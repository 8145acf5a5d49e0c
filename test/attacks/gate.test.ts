import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer } from './attempt.ts'
import { type GateAgent, startTwoNodes } from './two-nodes.ts'

const ROUNDS = 1_000
/** Rounds under way at once. */
const WIDTH = 4

const nodes = await startTwoNodes(ROUNDS + 1)
after(nodes.close)

type Round = { readonly late: readonly number[]; readonly minted: number; readonly alive: number }

test('[attack 116] 1,000 rounds: what starts after a revoke has answered mints nothing at either node (section 9)', async t => {
  const started = performance.now()
  const queue = nodes.agents.slice(0, ROUNDS)
  const rounds: Round[] = []
  const worker = async () => {
    for (let agent = queue.pop(); agent; agent = queue.pop()) rounds.push(await playRound(agent))
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))

  const late = rounds.flatMap(round => round.late)
  const minted = rounds.reduce((sum, round) => sum + round.minted, 0)
  assert.equal(rounds.length, ROUNDS)
  assert.equal(late.filter(status => status === 200).length, 0, 'tokens minted by requests started after the 200')
  assert.deepEqual([...new Set(late)], [400])
  assert.equal(rounds.filter(round => round.alive > 0).length, 0, 'tokens alive at introspection after the 200')
  // The race was run: many mints were under way and some won.
  assert.ok(minted > ROUNDS / 10, `${minted} early tokens`)
  t.diagnostic(`${ROUNDS} rounds, ${minted} early tokens, ${Math.round(performance.now() - started)} ms`)
})

test('[attack 42] [attack 120] a proof stays taken through kill -9 of the node that took it', async () => {
  const agent = nodes.agents[ROUNDS]
  assert.ok(agent)
  const mint = nodes.prepareMint(agent)
  assert.equal((await mint('two')).status, 200)
  await nodes.killAndRestart('two')
  for (const node of ['two', 'one'] as const) {
    const answer = await mint(node)
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_dpop_proof'])
  }
})

/** Mints at both nodes race one revoke; then, the moment it has answered, two more are tried. */
async function playRound(agent: GateAgent): Promise<Round> {
  const mints = Array.from({ length: 5 }, () => nodes.prepareMint(agent))
  const revoke = nodes.prepareRevoke(agent)
  const [sure, left, right, lateTwo, lateOne] = mints
  assert.ok(sure && left && right && lateTwo && lateOne)
  // Every second round begins with a token that is there for sure.
  const before = Number(agent.agent_id.slice(6)) % 2 === 0 ? [await sure('two')] : []
  const racing = [left('one'), right('two')]
  const revoked = await revoke()
  const late = await Promise.all([lateTwo('two'), lateOne('one')])
  assert.equal(revoked.status, 201, revoked.text)
  const tokens = tokensOf([...before, ...(await Promise.all(racing))])
  const alive = await Promise.all(tokens.map((token, n) => nodes.isActive(n % 2 === 0 ? 'two' : 'one', token)))
  return { late: late.map(answer => answer.status), minted: tokens.length, alive: alive.filter(Boolean).length }
}

function tokensOf(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ body }) => (typeof body.access_token === 'string' ? [body.access_token] : []))
}
