import type { StepView } from '../protocol/workflow-views.ts'
import { stepText } from './workflow-graph.ts'

/** What a version changes of another, a step a line: "- " as it was, "+ " as it would be. */
export function workflowChanges(before: readonly StepView[], after: readonly StepView[]): readonly string[] {
  const next = new Map(after.map(step => [step.step_id, stepText(step)]))
  const held = new Map(before.map(step => [step.step_id, stepText(step)]))
  const gone = before.flatMap(({ step_id }) => {
    const [was, is] = [held.get(step_id), next.get(step_id)]
    if (was === is) return []
    return is === undefined ? [`- ${was}`] : [`- ${was}`, `+ ${is}`]
  })
  const added = after.flatMap(({ step_id }) => (held.has(step_id) ? [] : [`+ ${next.get(step_id)}`]))
  const lines = [...gone, ...added]
  return lines.length > 0 ? lines : ['no step differs in what is shown here; perhaps their order does']
}
