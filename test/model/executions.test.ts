import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import { startTestApp } from '../support/app.ts'
import { type Command, command, mintOf } from './commands.ts'
import { type Answer, type Done, isAnswer, linearized } from './linearize.ts'
import {
  type Bench,
  countTokens,
  DIGESTS,
  decideReally,
  end,
  givenBenches,
  lend as lendReally,
  mintReally,
  openAhead,
  stored,
} from './real-execution.ts'
import { judge, type Mint, newWorld, type World } from './reference-model.ts'
import { runs } from './runs.ts'
import { percent, workflows } from './workflows.ts'

const app = await startTestApp()
const benches = await givenBenches(app, [
  { max_tokens: 2, max_children: 16, max_nodes: 256 },
  { max_tokens: 4, max_children: 16, max_nodes: 12 },
  { max_tokens: 16, max_children: 16, max_nodes: 256 },
])

const shapes = [
  { least: 3, most: 5, gates: 10, required: 40, dependencies: 0 },
  { least: 3, most: 6, gates: 15, required: 10, dependencies: 35 },
  { least: 3, most: 5, gates: 35, required: 30, dependencies: 20 },
]

/** Commands that run at the same time; one of them may be sent twice, as by a client that lost the answer. */
type Round = { readonly commands: readonly Command[]; readonly twice: boolean }

const rounds: fc.Arbitrary<readonly Round[]> = fc.array(
  fc.record({ commands: fc.array(command, { minLength: 1, maxLength: 4, size: 'max' }), twice: percent(25) }),
  { minLength: 6, maxLength: 14, size: 'max' },
)

const figures = {
  sequences: 0,
  mints: 0,
  minted: 0,
  together: 0,
  lost: 0,
  decisions: 0,
  lent: 0,
  openings: 0,
  reopened: 0,
}

for (const [at, shape] of shapes.entries()) {
  test(`[attack 74] answers and records are the model's for some order of what ran at once: piece ${at + 1} (protocol.md section 6)`, async () => {
    await fc.assert(
      fc.asyncProperty(workflows(shape), rounds, fc.nat(99), percent(60), async (steps, sequence, pick, ahead) => {
        const bench = benches[pick % benches.length]
        if (bench) await runReally(bench, steps, sequence, ahead)
      }),
      // What ran at once does not run so again: there is nothing to shrink.
      { numRuns: runs(40), endOnFailure: true },
    )
  })
}

test('the runs above minted, refused, delegated and repeated (the figures of this file)', t => {
  t.diagnostic(JSON.stringify(figures))
  assert.ok(figures.mints >= 1_500 && figures.minted >= 400, 'mints')
  assert.ok(figures.decisions >= 20 && figures.lent >= 50 && figures.lost >= 100 && figures.openings >= 10, 'kinds')
  assert.ok(figures.reopened >= 1, 'openings that were sent twice')
})

async function runReally(bench: Bench, steps: readonly WorkflowStep[], sequence: readonly Round[], ahead: boolean) {
  figures.sequences += 1
  const workflow_id = await bench.workflow(steps)
  const { max_tokens, max_nodes } = bench.limits
  let world = newWorld(steps, max_tokens, max_nodes)
  let execution_id = ahead ? await openAhead(bench, workflow_id) : undefined
  const tokens: Record<string, Answer> = {}
  for (const { commands, twice } of sequence) {
    if (execution_id === undefined) {
      const first = commands.find(one => one.kind === 'mint')
      if (first) [execution_id, world] = await tryToOpen(bench, workflow_id, world, first, { twice, tokens })
      continue
    }
    const at = { workflow_id, execution_id }
    const together = await runTogether(bench, at, world, twice ? [...commands, ...commands.slice(0, 1)] : commands, {
      ...{ twice, tokens },
    })
    const end = await stored(bench, execution_id)
    const next = linearized(world, together, end)
    assert.ok(next, `No order explains ${JSON.stringify({ world, together: together.map(shown), end }, null, 1)}`)
    world = next
    for (const done of together) {
      if (done.kind === 'mint' && done.answer.status === 200 && !done.mint.within) tokens[done.mint.step] = done.answer
    }
  }
  if (execution_id === undefined) return
  assert.equal(await countTokens(bench, execution_id), world.nodes)
  await end(bench, execution_id)
}

/**
 * A mint that names no execution: the model's answer, and one token in the execution that it opened. Sent twice, as by
 * somebody who lost the answer, it is for the user of a token, and both are of one execution.
 */
async function tryToOpen(
  bench: Bench,
  workflow_id: string,
  world: World,
  first: Command & { kind: 'mint' },
  { twice, tokens }: { twice: boolean; tokens: Record<string, Answer> },
): Promise<[string | undefined, World]> {
  const mint = { ...mintOf(world, first, DIGESTS), opens: true, within: false }
  const place = { workflow_id, execution_id: undefined }
  const by = twice ? { subject_token: await bench.userToken() } : {}
  const sent = twice ? [mint, mint] : [mint]
  const answers = await Promise.all(sent.map(one => mintReally(bench, place, one, by)))
  figures.mints += sent.length
  const verdict = judge(world, mint)
  const opened = new Set(answers.flatMap(({ status, body }) => (status === 200 ? [String(body.execution_id)] : [])))
  const told = JSON.stringify({ mint, bodies: answers.map(({ body: { access_token: _never, ...body } }) => body) })
  const [execution_id] = opened
  if (execution_id === undefined) {
    // An approval needs an execution first.
    const isProtected = (one: Answer) => one.body.ajwt_error === 'approval_required' && verdict.broken.has('approval')
    assert.ok(
      answers.every(one => isProtected(one) || isAnswer(verdict, one, 'none')),
      told,
    )
    return [undefined, world]
  }
  assert.equal(opened.size, 1, told)
  figures.openings += 1
  if (twice) figures.reopened += 1
  const together = answers.map(answer => ({ kind: 'mint', mint, answer, lost: false }) as const)
  const next = linearized(world, together, await stored(bench, execution_id))
  assert.ok(next, told)
  for (const answer of answers) if (answer.status === 200) tokens[mint.step] = answer
  return [execution_id, next]
}

async function runTogether(
  bench: Bench,
  at: { workflow_id: string; execution_id: string },
  world: World,
  commands: readonly Command[],
  { twice, tokens }: { twice: boolean; tokens: Record<string, Answer> },
): Promise<readonly Done[]> {
  if (commands.length > 1) figures.together += 1
  // What is sent twice is sent with the same assertion.
  const assertions = new Map<Command, Promise<string>>()
  return await Promise.all(
    commands.flatMap((one, index) => {
      if (one.kind === 'mint') {
        const lost = twice && index === 0
        const lend = (lent: Answer, to: string) => {
          const assertion = assertions.get(one) ?? lendReally(bench, lent, to)
          assertions.set(one, assertion)
          return assertion
        }
        return [askReally(bench, at, mintOf(world, one, DIGESTS), { lost, tokens, lend })]
      }
      const waiting = world.approvals.filter(({ status }) => status === 'pending')
      const approval = waiting[one.pick % Math.max(1, waiting.length)]
      return approval ? [decide(bench, approval, one.granted ? 'granted' : 'denied')] : []
    }),
  )
}

async function askReally(
  bench: Bench,
  at: { workflow_id: string; execution_id: string },
  asked: Mint,
  {
    lost,
    tokens,
    lend,
  }: { lost: boolean; tokens: Record<string, Answer>; lend: (lent: Answer, to: string) => Promise<string> },
): Promise<Done> {
  const token = tokens[asked.step]
  // Only somebody else can be let in, by a token of this step.
  const lent = asked.within && token?.claims?.intent?.executed_by !== asked.agent ? token : undefined
  const { lent: _guessed, ...rest } = asked
  const entry = lent?.entry ?? undefined
  const mint = { ...rest, within: lent !== undefined, ...(entry !== undefined && { lent: entry }) }
  const delegation_assertion = lent && (await lend(lent, mint.agent))
  const answer = await mintReally(bench, at, mint, { delegation_assertion })
  figures.mints += 1
  if (answer.status === 200) figures.minted += 1
  if (lent) figures.lent += 1
  if (lost) figures.lost += 1
  return { kind: 'mint', mint, answer, lost }
}

async function decide(bench: Bench, approval: World['approvals'][number], status: 'granted' | 'denied'): Promise<Done> {
  figures.decisions += 1
  return { kind: 'decide', id: approval.id, status, done: await decideReally(bench, approval, status) }
}

function shown(done: Done): object {
  if (done.kind === 'decide') return done
  const { mint, answer, lost } = done
  const { access_token: _never, ...body } = answer.body
  return { mint, lost, status: answer.status, body, intent: answer.claims?.intent }
}
