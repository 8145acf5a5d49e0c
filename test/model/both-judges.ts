import assert from 'node:assert/strict'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import { type AskedStep, type JudgedStep, judgeStep } from '../../src/server/registry/recorded-step.ts'
import type { StepApproval } from '../../src/server/registry/step-approval.ts'
import { type StepRecord, stepGraph } from '../../src/server/registry/step-record.ts'
import { type Command, mintOf } from './commands.ts'
import { decided, judge, type Mint, minted, newWorld, opened, type Rule, type World } from './reference-model.ts'

const DIGESTS = { first: 'digest-1', second: 'digest-2' }

const RULE_OF_REASON: Readonly<Record<string, Rule>> = {
  unknown_step: 'unknown',
  step_is_gate: 'gate',
  step_of_nobody: 'agent',
  step_of_other_agent: 'agent',
  completed_step_not_recorded: 'lie',
  not_an_entry_step: 'entry',
  missing_steps: 'missing',
  step_left: 'left',
  step_not_entered: 'not_entered',
  delegation_of_earlier_entry: 'earlier',
  max_tokens: 'max_tokens',
  max_nodes: 'max_nodes',
}

/** What is answered last, so that no other rule is broken beside it. */
const RULE_OF_LACK = { missing: 'approval', digest_alone: 'arguments', several: 'arguments', denied: 'denied' } as const

/** What the server keeps of one execution, changed as its store changes it (store/executions.ts, store/approvals.ts). */
type Kept = { record: Map<string, StepRecord>; approvals: (StepApproval & { step: string })[]; nodes: number }

/** One workflow, and how its execution begins. */
export type Given = {
  readonly steps: readonly WorkflowStep[]
  readonly max_tokens: number
  readonly max_nodes: number
  /** Opened by POST /intent/executions, not by its first mint. */
  readonly opened_ahead: boolean
}

/**
 * Runs commands on one execution by the server's rules and by the model. Throws where they differ; `count` hears each
 * outcome.
 */
export function judgeBoth(
  given: Given,
  sequence: readonly Command[],
  count: (outcome: string) => void = () => {},
): void {
  const graph = stepGraph(given.steps)
  const kept: Kept = { record: new Map(), approvals: [], nodes: 0 }
  let world = newWorld(given.steps, given.max_tokens, given.max_nodes)
  let isOpen = given.opened_ahead
  for (const [at, command] of sequence.entries()) {
    if (command.kind === 'decide') {
      const waiting = world.approvals.filter(approval => approval.status === 'pending')
      const approval = waiting[command.pick % Math.max(1, waiting.length)]
      if (!approval) continue
      const status = command.granted ? 'granted' : 'denied'
      world = decided(world, approval.id, status)
      keepDecision(kept, approval.id, status, graph.gates(approval.step))
    } else {
      const mint = { ...mintOf(world, command, DIGESTS), opens: !isOpen }
      const asked = askedOf(given, graph, kept, mint)
      const after = compare(world, mint, { asked, id: `approval-${at}`, count })
      if (after.judged) keepMint(kept, mint, after.judged, `approval-${at}`)
      isOpen ||= after.judged !== undefined
      world = after.world
    }
    assert.deepEqual(asPlain(kept), { marks: world.marks, approvals: world.approvals, nodes: world.nodes })
  }
}

/** One mint by both: the same outcome, or one that the server may say first where several rules are broken. */
function compare(
  world: World,
  mint: Mint,
  { asked, id, count }: { asked: AskedStep; id: string; count: (outcome: string) => void },
): { world: World; judged?: JudgedStep } {
  const model = judge(world, mint)
  const server = outcome(asked)
  if (server instanceof OAuthError) {
    const rule = RULE_OF_REASON[server.reason]
    assert.ok(rule && model.broken.has(rule), `${server.reason}, the model says ${[...model.broken].join()}`)
    const told = model.told[rule]
    assert.deepEqual(new Set(server.details.missing_steps), told ?? new Set())
    count(rule)
    return { world }
  }
  const { how, entry, leaves, sequence, approval } = server
  const lack = typeof approval === 'string' ? RULE_OF_LACK[approval] : undefined
  assert.deepEqual([...model.broken], lack ? [lack] : [])
  assert.deepEqual({ how, entry, leaves: new Set(leaves), sequence }, picked(model))
  if (typeof approval === 'string') {
    count(approval)
    if (approval !== 'missing') return { world }
    return { world: model.approval ? world : opened(world, mint, id), judged: server }
  }
  assert.equal(approval?.approval_id, model.approval?.id)
  count(approval ? `${how} approved` : how)
  if (entry > 1 && how === 'entered') count('again')
  return { world: minted(world, mint, model), judged: server }
}

function picked({ how, entry, leaves, sequence }: ReturnType<typeof judge>) {
  return { how, entry, leaves, sequence }
}

function outcome(asked: AskedStep): JudgedStep | OAuthError {
  try {
    return judgeStep(asked)
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
}

function askedOf(given: Given, graph: AskedStep['graph'], kept: Kept, mint: Mint): AskedStep {
  return {
    graph,
    record: kept.record,
    limits: { max_tokens: given.max_tokens, max_nodes: given.max_nodes, max_children: 16 },
    nodes: kept.nodes,
    approvals: kept.approvals.filter(({ step }) => step === mint.step),
    workflow_step: mint.step,
    agent_id: mint.agent,
    within_step: mint.within,
    lent_entry: mint.lent,
    opens: mint.opens,
    completed_steps: mint.completed,
    ...(mint.digest !== null && { arguments_digest: mint.digest }),
    has_arguments: mint.digest !== null && mint.whole,
  }
}

/** As store/executions.recordEntry and store/approvals do. */
function keepMint(kept: Kept, mint: Mint, judged: JudgedStep, id: string): void {
  const { approval, how, entry, leaves } = judged
  if (typeof approval === 'string') {
    const { step, digest: arguments_digest } = mint
    const waits = (one: Kept['approvals'][number]) =>
      one.status === 'pending' && one.step === step && one.arguments_digest === arguments_digest
    if (kept.approvals.some(waits)) return
    kept.approvals.push({ approval_id: id, step, arguments_digest, status: 'pending', entry: null })
    return
  }
  kept.nodes += 1
  for (const left of leaves) {
    const row = kept.record.get(left)
    if (row?.state === 'entered') kept.record.set(left, { ...row, state: 'left' })
  }
  const tokens = how === 'renewed' ? (kept.record.get(mint.step)?.tokens ?? 0) + 1 : 1
  kept.record.set(mint.step, { state: 'entered', entries: entry, tokens })
  kept.approvals = kept.approvals.map(one => (one.approval_id === approval?.approval_id ? { ...one, entry } : one))
}

/** As store/executions.grantGates does. */
function keepDecision(kept: Kept, id: string, status: 'granted' | 'denied', gates: readonly string[]): void {
  kept.approvals = kept.approvals.map(one => (one.approval_id === id ? { ...one, status } : one))
  for (const gate of status === 'granted' ? gates : []) {
    if (!kept.record.has(gate)) kept.record.set(gate, { state: 'granted', entries: 1, tokens: 0 })
  }
}

function asPlain(kept: Kept) {
  return {
    marks: Object.fromEntries(kept.record),
    approvals: kept.approvals.map(({ approval_id, step, arguments_digest, status, entry }) => {
      return { id: approval_id, step, digest: arguments_digest, status, ...(entry !== null && { usedBy: entry }) }
    }),
    nodes: kept.nodes,
  }
}
