import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { startTestApp } from '../support/app.ts'
import { signedDelegation } from '../support/recorded.ts'
import {
  brokenBy,
  chainClaims,
  chainOf,
  covers,
  type Forest,
  type Held,
  line,
  type Signed,
} from './delegation-model.ts'
import { ask, type Got, type Grove, givenGrove, RESOURCES, SCOPES, STEPS, type Wanted } from './real-tree.ts'
import { judge, type Mint, minted, newWorld, type World } from './reference-model.ts'
import { runs } from './runs.ts'
import { type TreeCommand, treeCommands } from './tree-commands.ts'
import { choose, repeated, some, wishOf } from './tree-wishes.ts'
import { percent } from './workflows.ts'

const app = await startTestApp()
const grove = await givenGrove(app)
const LIFETIME = 300

/** A tree that grows: the tokens, the record of the execution, and when that ends. */
type Tree = {
  forest: Forest
  world: World
  readonly recorded: boolean
  execution_id: string | null
  ends: number | null
}

const figures = { trees: 0, asked: 0, delegated: 0, exchanged: 0, again: 0, at_once: 0, deepest: 0, over_steps: 0 }
const refusals = new Map<string, number>()

for (const [name, recorded] of [
  ['in executions', 85],
  ['without a workflow', 0],
] as const) {
  test(`[attack 56] no delegation widens scope, audience, expiry or depth: ${name} (protocol.md section 6)`, async () => {
    await fc.assert(
      fc.asyncProperty(treeCommands, percent(recorded), async (commands, isRecorded) => grow(commands, isRecorded)),
      { numRuns: runs(recorded === 0 ? 25 : 65), endOnFailure: true },
    )
  })
}

test('the trees above were deep, crossed steps, and met every rule (the figures of this file)', t => {
  t.diagnostic(JSON.stringify({ ...figures, refusals: Object.fromEntries([...refusals].sort()) }))
  assert.ok(figures.delegated >= 700 && figures.exchanged >= 100 && figures.again >= 50 && figures.over_steps >= 100)
  assert.ok(figures.at_once >= 100)
  assert.equal(figures.deepest, 5)
})

async function grow(commands: readonly TreeCommand[], recorded: boolean): Promise<void> {
  figures.trees += 1
  const world = newWorld(STEPS, 1000, 10_000)
  const tree: Tree = { forest: { held: [], hops: [] }, world, recorded, execution_id: null, ends: null }
  for (const command of commands) {
    if (command.kind === 'wait') app.clock.advance(command.seconds)
    else if (command.kind === 'root') await plant(tree, command)
    else if (tree.forest.held.length === 0) await plant(tree, { pick: 0, bits: 7, resource: 0 })
    else await delegate(tree, command)
  }
}

/** A mint without an assertion, by the agent of a step. */
async function plant(tree: Tree, { pick, bits, resource: at }: { pick: number; bits: number; resource: number }) {
  const step = tree.recorded ? (choose(STEPS, pick) ?? STEPS[0]) : undefined
  const agent = step?.agent_id ?? `a${pick % 7}`
  const resource = choose(RESOURCES, at) ?? ''
  const wanted = {
    agent,
    step: step?.step_id ?? null,
    execution_id: tree.execution_id,
    resource,
    scope: some(SCOPES[resource] ?? [], bits),
  }
  const { grants, ceilings } = grove.standing
  const rights = [grants[agent] ?? [], ...(step && ceilings[step.step_id] ? [ceilings[step.step_id] ?? []] : [])]
  const broken = [
    ...stepRules(tree, wanted, undefined),
    ...(rights.every(one => covers(one, resource, wanted.scope)) ? [] : ['outside']),
    ...ended(tree),
  ]
  const got = await answered(wanted, broken)
  if (!got) return
  if (tree.recorded && tree.execution_id === null) {
    tree.execution_id = String(got.body.execution_id)
    tree.ends = app.clock.seconds() + 3600
  }
  keep(tree, wanted, got, undefined)
}

async function delegate(tree: Tree, command: TreeCommand & { kind: 'delegate' | 'repeat' }): Promise<void> {
  const now = app.clock.seconds()
  const standing = { ...grove.standing, ends: tree.ends }
  const prepared =
    command.kind === 'repeat'
      ? repeated(tree.forest, standing, command)
      : await signed(grove, wishOf({ issuer: app.issuer, now }, standing, tree.forest, command))
  if (!prepared) return
  const { parent, subject, wanted } = prepared
  const step = prepared.signed.claims.workflow_step ?? claimed(tree, prepared.signed)?.step ?? null
  const within = step === (claimed(tree, prepared.signed)?.step ?? null)
  const exchanged = command.exchange ? { exchanged: subject.token } : {}
  const broken = [
    ...brokenBy(standing, tree.forest, { ...wanted, signed: prepared.signed, now }),
    ...stepRules(tree, wanted, within ? claimed(tree, prepared.signed) : undefined),
    ...(command.exchange && (subject.exp <= now || subject.jti !== prepared.signed.claims.parent_jti)
      ? ['subject']
      : []),
    ...ended(tree),
  ]
  const asked = { ...wanted, ...exchanged, assertion: prepared.signed.assertion }
  const times = command.kind === 'delegate' && command.twice ? [asked, asked] : [asked]
  const answers = await Promise.all(times.map(one => answered(one, broken)))
  // The token that the assertion names: a lie about it may be true of another token of the same hop.
  const hop = { ...prepared.signed, step, parent: claimed(tree, prepared.signed) ?? parent }
  for (const got of answers) {
    if (!got) return
    if (command.exchange) figures.exchanged += 1
    if (command.kind === 'repeat') figures.again += 1
    if (times.length > 1) figures.at_once += 1
    keep(tree, wanted, got, hop)
  }
}

function claimed({ forest }: Tree, { claims }: Signed): Held | undefined {
  return forest.held.find(({ jti }) => jti === claims.parent_jti)
}

async function signed({ agents }: Grove, wish: ReturnType<typeof wishOf>) {
  const key = wish && agents[wish.signer]?.key
  if (!wish || !key) return undefined
  const { parent, subject, wanted, claims, signer } = wish
  const assertion = await signedDelegation(key, claims)
  return { parent, subject, wanted, signed: { assertion, claims, signer: grove.standing.jkts[signer] ?? '' } }
}

/** Asks for real: refused where a rule is broken, else a token. */
async function answered(wanted: Wanted, broken: readonly string[]): Promise<Got | undefined> {
  figures.asked += 1
  const got = await ask(grove, wanted)
  const told = JSON.stringify({ wanted, broken, answer: { ...got.body, access_token: got.claims } })
  assert.equal(got.status === 200, broken.length === 0, told)
  if (got.status === 200) return got
  assert.ok([400, 401, 403].includes(got.status), told)
  for (const rule of broken) refusals.set(rule, (refusals.get(rule) ?? 0) + 1)
  return undefined
}

/** `lender`: the holder of the parent token, where that is of the same step. */
function mintOf(tree: Tree, { agent, step }: Wanted, lender: Held | undefined): Mint {
  const opens = tree.execution_id === null
  const lent = lender && { lent: lender.entry }
  const common = { opens, completed: [], digest: null, whole: true }
  return { step: step ?? '', agent, within: lender !== undefined, ...lent, ...common }
}

function stepRules(tree: Tree, wanted: Wanted, lender: Held | undefined): readonly string[] {
  return wanted.step === null ? [] : [...judge(tree.world, mintOf(tree, wanted, lender)).broken]
}

function ended({ ends }: Tree): readonly string[] {
  return ends !== null && ends <= app.clock.seconds() ? ['ended'] : []
}

/** Checks the token against all that stands above it, and keeps it. */
function keep(tree: Tree, wanted: Wanted, { token, claims }: Got, hop: Held['hop']): void {
  assert.ok(claims)
  const { step, execution_id, agent } = wanted
  const { jti, iat, exp } = claims
  const lender = hop && hop.step === hop.parent.step ? hop.parent : undefined
  const mint = mintOf(tree, wanted, lender)
  const verdict = judge(tree.world, { ...mint, opens: false })
  const { entry } = verdict
  const kept = { jti, token, iat, exp, agent, step, entry, execution_id: execution_id ?? tree.execution_id }
  const held: Held = { ...kept, resource: claims.aud, scope: claims.scope.split(' '), ...(hop && { hop }) }
  checkWithin(held, tree)
  const { sub, act, ...hashes } = chainClaims(grove.standing, chainOf(held))
  assert.deepEqual({ sub: claims.sub, act: claims.act }, { sub, act })
  const { delegation_chain, chain_commitment, executed_by, workflow_step } = claims.intent ?? {}
  assert.deepEqual({ delegation_chain, chain_commitment }, hashes)
  assert.deepEqual([executed_by, workflow_step ?? null], [agent, step])
  assert.equal(claims.cnf && 'jkt' in claims.cnf && claims.cnf.jkt, grove.standing.jkts[agent])
  const { held: all, hops } = tree.forest
  const isNew = hop && !hops.some(({ assertion }) => assertion === hop.assertion)
  tree.forest = { held: [...all, held], hops: isNew ? [...hops, hop] : hops }
  if (step !== null) tree.world = minted(tree.world, mint, verdict)
  if (!hop) return
  figures.delegated += 1
  figures.deepest = Math.max(figures.deepest, chainOf(held).length - 1)
  if (hop.step !== hop.parent.step) figures.over_steps += 1
}

/** What must hold of every token, whatever was asked: said once more, and not by the model that judged. */
function checkWithin(token: Held, { ends }: Tree): void {
  const { scope, resource, step, exp, iat, agent } = token
  const { grants, ceilings } = grove.standing
  assert.ok(covers(grants[agent] ?? [], resource, scope))
  if (step !== null && ceilings[step]) assert.ok(covers(ceilings[step], resource, scope))
  assert.ok(exp - iat <= LIFETIME && (ends === null || exp <= ends))
  if (token.hop)
    assert.ok(covers([{ resource: token.hop.claims.resource[0], scope: token.hop.claims.scope }], resource, scope))
  const above = line(token).slice(1)
  assert.ok(above.length <= 5)
  for (const ancestor of above.filter(one => one.step === step)) {
    assert.equal(resource, ancestor.resource)
    assert.ok(scope.every(name => ancestor.scope.includes(name)))
  }
  for (const { hop } of line(token)) assert.ok(hop === undefined || exp <= hop.claims.exp)
}
