import { OPEN_APPROVALS_MAX } from '../../src/protocol/approval.ts'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import type { Minted } from '../support/recorded.ts'
import type { Stored } from './real-execution.ts'
import { decided, judge, type Mint, minted, opened, type Rule, type Verdict, type World } from './reference-model.ts'

/** With the entry of its step that the token was recorded for. */
export type Answer = Minted & { readonly entry: number | null }

/** What was done at the same time as others, and what was answered. */
export type Done =
  | { readonly kind: 'mint'; readonly mint: Mint; readonly answer: Answer; readonly lost: boolean }
  | { readonly kind: 'decide'; readonly id: string; readonly status: 'granted' | 'denied'; readonly done: boolean }

/**
 * The world after these, in some order in which the model gives every answer that was given and ends in what is stored;
 * undefined where there is none.
 */
export function linearized(world: World, together: readonly Done[], end: Stored): World | undefined {
  if (together.length === 0) return isStored(world, end) ? world : undefined
  for (const [at, one] of together.entries()) {
    const next = one.kind === 'mint' ? afterMint(world, one, end) : afterDecision(world, one)
    const rest = next && linearized(next, together.toSpliced(at, 1), end)
    if (rest) return rest
  }
  return undefined
}

/** The world after one mint where the model answers it as the server did. */
function afterMint(world: World, done: Done & { kind: 'mint' }, end: Stored): World | undefined {
  const { mint, answer, lost } = done
  const verdict = judge(world, mint)
  const waiting = world.approvals.filter(({ status }) => status === 'pending').length
  const mayOpen = verdict.broken.size === 1 && verdict.broken.has('approval')
  const isFull = mayOpen && !verdict.approval && waiting >= OPEN_APPROVALS_MAX
  // A new one has the id that the server gave it.
  const id = verdict.approval?.id ?? newApproval(world, mint, end)
  if (!lost && !isAnswer(verdict, answer, isFull ? 'full' : id)) return undefined
  if (verdict.broken.size === 0) return minted(world, mint, verdict)
  return mayOpen && !isFull && !verdict.approval ? opened(world, mint, id) : world
}

function afterDecision(world: World, { id, status, done }: Done & { kind: 'decide' }): World | undefined {
  const isPending = world.approvals.some(approval => approval.id === id && approval.status === 'pending')
  if (isPending !== done) return undefined
  return isPending ? decided(world, id, status) : world
}

function newApproval(world: World, { step, digest }: Mint, end: Stored): string {
  const known = new Set(world.approvals.map(({ id }) => id))
  return end.approvals.find(one => one.step === step && one.digest === digest && !known.has(one.id))?.id ?? 'none'
}

/** Whether the server may say this where the model says that. */
export function isAnswer(verdict: Verdict, { status, body, claims, entry }: Answer, approval_id: string): boolean {
  const { broken, told } = verdict
  if (status === 200) {
    const { approval, step_sequence_hash } = claims?.intent ?? {}
    return (
      broken.size === 0 &&
      entry === verdict.entry &&
      step_sequence_hash === sequenceHash(verdict.sequence) &&
      approval?.id === verdict.approval?.id &&
      (approval?.arguments_digest ?? null) === (verdict.approval?.digest ?? null)
    )
  }
  const { ajwt_error, missing_steps } = body
  const tells = (rule: Rule) =>
    broken.has(rule) && Array.isArray(missing_steps) && isSame(missing_steps, told[rule] ?? new Set())
  // Only where no execution is named: the request itself is wrong (protocol.md section 6).
  if (status === 400) return body.error === 'invalid_request' && tells('entry')
  if (status !== 403 || broken.size === 0) return false
  if (missing_steps !== undefined) return tells('lie') || tells('missing')
  if (ajwt_error === 'limit_exceeded') {
    return broken.has('max_tokens') || broken.has('max_nodes') || (broken.has('approval') && approval_id === 'full')
  }
  if (ajwt_error === 'approval_pending') return broken.size === 1 && body.approval_id === approval_id
  if (ajwt_error === 'approval_denied') return broken.has('denied')
  if (ajwt_error === 'approval_required') return broken.has('arguments')
  const plain = ['unknown', 'gate', 'agent', 'left', 'not_entered', 'earlier'] as const
  return ajwt_error === undefined && plain.some(rule => broken.has(rule))
}

function isSame(told: readonly unknown[], expected: ReadonlySet<unknown>): boolean {
  return new Set(told).size === expected.size && told.every(id => expected.has(id))
}

function isStored(world: World, { marks, approvals, nodes }: Stored): boolean {
  const ids = Object.keys(marks)
  return (
    nodes === world.nodes &&
    ids.length === Object.keys(world.marks).length &&
    ids.every(id => isEqual(marks[id], world.marks[id])) &&
    approvals.length === world.approvals.length &&
    approvals.every(one =>
      isEqual(
        one,
        world.approvals.find(({ id }) => id === one.id),
      ),
    )
  )
}

function isEqual(one: object | undefined, other: object | undefined): boolean {
  return one !== undefined && other !== undefined && text(one) === text(other)
}

function text(value: object): string {
  return JSON.stringify(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
