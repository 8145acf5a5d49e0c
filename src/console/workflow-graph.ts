import type { StepView } from '../protocol/workflow-views.ts'

export type StepChange = 'added' | 'changed' | 'removed' | 'same'
export type ChangedStep = { readonly step: StepView; readonly change: StepChange; readonly changes: readonly string[] }

/** `order`: nothing but the order of the definition joins the two. */
export type StepEdge = { readonly from: string; readonly to: string; readonly kind: 'dependency' | 'order' }

/** The steps of a version marked by what differs from another; the removed ones last. */
export function compareSteps(steps: readonly StepView[], before: readonly StepView[] | undefined): ChangedStep[] {
  if (!before) return steps.map(step => ({ step, change: 'same', changes: [] }))
  const old = new Map(before.map(step => [step.step_id, step]))
  const now = new Set(steps.map(step => step.step_id))
  const shown = steps.map((step): ChangedStep => {
    const was = old.get(step.step_id)
    if (!was) return { step, change: 'added', changes: [] }
    const changes = describeChanges(was, step)
    return { step, change: changes.length === 0 ? 'same' : 'changed', changes }
  })
  const removed = before.filter(step => !now.has(step.step_id))
  return [...shown, ...removed.map((step): ChangedStep => ({ step, change: 'removed', changes: [] }))]
}

/** Dependencies as they are declared; where a step declares none, the step before it in the definition. */
export function edgesOf(steps: readonly StepView[]): StepEdge[] {
  return steps.flatMap((step, index): StepEdge[] => {
    const { step_id: to, dependencies } = step
    if (dependencies.length > 0) return dependencies.map(from => ({ from, to, kind: 'dependency' }))
    const before = steps[index - 1]
    return before ? [{ from: before.step_id, to, kind: 'order' }] : []
  })
}

/** The marks of a step, in words. */
export function marksOf({ required, approval_gate, requires_approval }: StepView): string[] {
  return [
    ...(approval_gate ? ['gate'] : []),
    ...(required ? ['required'] : []),
    ...(requires_approval ? ['needs approval'] : []),
  ]
}

function describeChanges(was: StepView, is: StepView): string[] {
  const names = [
    ['agent', was.agent_id, is.agent_id],
    ['action', was.action, is.action],
    ['required', was.required, is.required],
    ['gate', was.approval_gate, is.approval_gate],
    ['needs approval', was.requires_approval, is.requires_approval],
    ['access', accessText(was), accessText(is)],
    ['dependencies', was.dependencies.join(' '), is.dependencies.join(' ')],
  ] as const
  return names
    .filter(([, before, after]) => before !== after)
    .map(([name, before, after]) => `${name}: ${valueText(before)} to ${valueText(after)}`)
}

function accessText({ access }: StepView): string | null {
  return access === null ? null : access.map(({ resource, scope }) => `${resource} ${scope}`).join(', ')
}

function valueText(value: string | boolean | null): string {
  if (value === null || value === '') return 'none'
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value
}
