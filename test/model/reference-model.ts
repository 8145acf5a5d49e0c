import type { WorkflowStep } from '../../src/protocol/workflow.ts'

/*
 * Executions in recorded mode, written from protocol.md section 6 and ADR 17 alone: every rule a set, every mint the list
 * of all rules that it breaks. Slow and plain on purpose; nothing here comes from the server.
 */

export type Mark = { readonly state: 'entered' | 'left' | 'granted'; readonly entries: number; readonly tokens: number }

export type ModelApproval = {
  readonly id: string
  readonly step: string
  readonly digest: string | null
  readonly status: 'pending' | 'granted' | 'denied'
  /** The entry of the step that took it. */
  readonly usedBy?: number
}

/** One execution, whole. */
export type World = {
  readonly steps: readonly WorkflowStep[]
  readonly max_tokens: number
  readonly max_nodes: number
  readonly marks: Readonly<Record<string, Mark>>
  readonly approvals: readonly ModelApproval[]
  readonly nodes: number
}

export type Mint = {
  readonly step: string
  readonly agent: string
  /** By a delegate of somebody who has a token of this step, */
  readonly within: boolean
  /** of this entry of it. */
  readonly lent?: number
  /** Names no execution. */
  readonly opens: boolean
  readonly completed: readonly string[]
  readonly digest: string | null
  /** The arguments came themselves, or there are none. */
  readonly whole: boolean
}

export const RULES = [
  'unknown',
  'gate',
  'agent',
  'lie',
  'entry',
  'missing',
  'left',
  'not_entered',
  'earlier',
  'max_tokens',
  'max_nodes',
  'arguments',
  'denied',
  'approval',
] as const
export type Rule = (typeof RULES)[number]

export type Verdict = {
  /** Empty: it is minted. */
  readonly broken: ReadonlySet<Rule>
  /** Behind `lie`, `entry` and `missing`, what is told as missing. */
  readonly told: Readonly<Partial<Record<Rule, ReadonlySet<string>>>>
  readonly how: 'entered' | 'renewed'
  readonly entry: number
  readonly leaves: ReadonlySet<string>
  readonly sequence: readonly string[]
  /** Of the token, or, beside the broken rule `approval`, the one that waits. */
  readonly approval?: ModelApproval
}

export function newWorld(steps: readonly WorkflowStep[], max_tokens: number, max_nodes: number): World {
  return { steps, max_tokens, max_nodes, marks: {}, approvals: [], nodes: 0 }
}

/** Required steps before it, and its dependencies. */
export function needs(steps: readonly WorkflowStep[], id: string): ReadonlySet<string> {
  const before = steps.slice(0, Math.max(0, indexOf(steps, id)))
  const required = before.filter(step => step.required).map(step => step.step_id)
  return new Set([...required, ...(stepOf(steps, id)?.dependencies ?? [])])
}

/** The gates that an approval of this step opens. */
export function gatesOf(steps: readonly WorkflowStep[], id: string): ReadonlySet<string> {
  return closure([id], one => ownGates(steps, one))
}

function ownGates(steps: readonly WorkflowStep[], id: string): ReadonlySet<string> {
  const own = [...needs(steps, id)].filter(one => stepOf(steps, one)?.approval_gate)
  if (own.length > 0 || !stepOf(steps, id)?.requires_approval) return new Set(own)
  const before = steps.slice(0, indexOf(steps, id)).filter(step => step.approval_gate)
  return new Set(before.slice(-1).map(step => step.step_id))
}

/** What entering a step ends: everything before it where steps have an order only, else what it is built upon. */
export function leftBy(steps: readonly WorkflowStep[], id: string): ReadonlySet<string> {
  const isGraph = steps.some(step => step.dependencies.length > 0)
  const left = isGraph
    ? closure([id], one => needs(steps, one))
    : new Set(steps.slice(0, indexOf(steps, id)).map(step => step.step_id))
  return new Set([...left].filter(one => one !== id))
}

export function isProtected({ steps, marks }: World, id: string): boolean {
  return stepOf(steps, id)?.requires_approval === true || [...gatesOf(steps, id)].some(gate => !(gate in marks))
}

/** Every rule that a mint breaks, and what it would do if it broke none. */
export function judge(world: World, mint: Mint): Verdict {
  const { steps, marks } = world
  const step = stepOf(steps, mint.step)
  const mark = marks[mint.step]
  const renews = mark?.state === 'entered'
  const entry = (mark?.entries ?? 0) + (renews ? 0 : 1)
  const gates = gatesOf(steps, mint.step)
  const closedGates = [...gates].filter(gate => !(gate in marks))
  const due = [mint.step, ...closedGates].flatMap(id => [...needs(steps, id)])
  const lie = new Set(mint.completed.filter(id => !(id in marks)))
  const missing = new Set(due.filter(id => !(id in marks) && !gates.has(id)))
  const first = mint.opens ? needs(steps, mint.step) : new Set<string>()
  const approval = judgeApproval(world, mint, renews ? entry : undefined)
  const broken: Readonly<Record<Rule, boolean>> = {
    unknown: step === undefined,
    gate: step?.approval_gate === true,
    agent: !mint.within && step?.agent_id !== mint.agent,
    lie: lie.size > 0,
    entry: first.size > 0,
    missing: missing.size > 0,
    left: mark?.state === 'left' && (mint.within || step?.repeatable !== true),
    not_entered: mint.within && !renews,
    earlier: mint.within && mint.lent !== undefined && mint.lent !== mark?.entries,
    max_tokens: renews && mark.tokens >= (step?.reversible === false ? 1 : world.max_tokens),
    max_nodes: world.nodes >= world.max_nodes,
    arguments: approval.broken.includes('arguments'),
    denied: approval.broken.includes('denied'),
    approval: approval.broken.includes('approval'),
  }
  const entered = Object.keys(marks).filter(id => marks[id]?.state === 'entered')
  const before = steps.map(one => one.step_id).filter(id => id !== mint.step && id in marks)
  return {
    broken: new Set(RULES.filter(rule => broken[rule])),
    told: { lie, entry: first, missing },
    how: renews ? 'renewed' : 'entered',
    entry,
    leaves: new Set(renews ? [] : entered.filter(id => leftBy(steps, mint.step).has(id))),
    sequence: [...before, mint.step],
    ...(approval.approval && { approval: approval.approval }),
  }
}

/**
 * An approval is for one digest. The first mint that uses it takes it for its entry, renewals of that entry keep it, and
 * one that names no digest keeps the only one there is, and of several has to name one. A digest alone serves renewals only.
 */
function judgeApproval(
  world: World,
  mint: Mint,
  renewed: number | undefined,
): { readonly broken: readonly Rule[]; readonly approval?: ModelApproval } {
  const ofStep = world.approvals.filter(({ step }) => step === mint.step)
  const ofEntry = ofStep.filter(({ usedBy }) => usedBy !== undefined && usedBy === renewed)
  const [kept] =
    mint.digest === null && ofEntry.length === 1 ? ofEntry : ofEntry.filter(({ digest }) => digest === mint.digest)
  if (kept) return { broken: [], approval: kept }
  const same = ofStep.filter(({ digest }) => digest === mint.digest)
  const granted = same.find(({ status, usedBy }) => status === 'granted' && usedBy === undefined)
  const needed = granted !== undefined || isProtected(world, mint.step)
  if (!needed) return { broken: [] }
  if (!mint.whole) return { broken: ['arguments'] }
  if (granted) return { broken: [], approval: granted }
  if (mint.digest === null && ofEntry.length > 1) return { broken: ['arguments'] }
  if (same.some(({ status }) => status === 'denied')) return { broken: ['denied'] }
  const pending = same.find(({ status }) => status === 'pending')
  return { broken: ['approval'], ...(pending && { approval: pending }) }
}

/** After a mint that breaks no rule. */
export function minted(world: World, mint: Mint, { how, entry, leaves, approval }: Verdict): World {
  const marks = { ...world.marks }
  for (const id of leaves) marks[id] = { ...(marks[id] ?? { entries: 0, tokens: 0 }), state: 'left' }
  const tokens = how === 'renewed' ? (marks[mint.step]?.tokens ?? 0) + 1 : 1
  marks[mint.step] = { state: 'entered', entries: entry, tokens }
  const approvals = world.approvals.map(one => (one.id === approval?.id ? { ...one, usedBy: entry } : one))
  return { ...world, marks, approvals, nodes: world.nodes + 1 }
}

/** After a mint that lacks its approval only: it opens one, unless it waits already. */
export function opened(world: World, mint: Mint, id: string): World {
  const approval = { id, step: mint.step, digest: mint.digest, status: 'pending' as const }
  return { ...world, approvals: [...world.approvals, approval] }
}

/** After an approver's decision. Granted, the gates of the step are in the record. */
export function decided(world: World, id: string, status: 'granted' | 'denied'): World {
  const approvals = world.approvals.map(one => (one.id === id ? { ...one, status } : one))
  const step = world.approvals.find(one => one.id === id)?.step
  const gates = step !== undefined && status === 'granted' ? [...gatesOf(world.steps, step)] : []
  const opens = gates.map(gate => [gate, { state: 'granted' as const, entries: 1, tokens: 0 }] as const)
  return { ...world, approvals, marks: { ...Object.fromEntries(opens), ...world.marks } }
}

function closure(from: readonly string[], next: (id: string) => ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(from.flatMap(id => [...next(id)]))
  // A set that is grown while it is walked yields what was added too.
  for (const id of found) for (const one of next(id)) found.add(one)
  return found
}

function stepOf(steps: readonly WorkflowStep[], id: string): WorkflowStep | undefined {
  return steps.find(step => step.step_id === id)
}

function indexOf(steps: readonly WorkflowStep[], id: string): number {
  return steps.findIndex(step => step.step_id === id)
}
