import type { StepView } from '../protocol/workflow-views.ts'
import { lineText } from './output.ts'

/**
 * Steps as an indented graph: each below the last of its dependencies, in the order of the definition, with its number
 * in it. What it waits for besides stands behind it.
 */
export function workflowGraph(steps: readonly StepView[]): string {
  const ids = steps.map(step => step.step_id)
  const parentOf = ({ dependencies }: StepView) => ids.findLast(id => dependencies.includes(id))
  const width = String(steps.length).length
  const draw = (parent: string | undefined, depth: number): string[] =>
    steps.flatMap((step, at) => {
      if (parentOf(step) !== parent) return []
      const indent = depth === 0 ? '' : `${'   '.repeat(depth - 1)}└─ `
      return [`${String(at + 1).padStart(width)}  ${indent}${stepText(step, 2)}`, ...draw(step.step_id, depth + 1)]
    })
  return draw(undefined, 0).join('\n')
}

/** A step in one line; with its dependencies from `named` of them on: a drawing shows the last one itself. */
export function stepText({ step_id, agent_id, access, dependencies, ...step }: StepView, named = 1): string {
  const marks = [
    step.required && 'required',
    step.approval_gate && 'approval gate',
    step.requires_approval && 'requires approval',
  ].filter(mark => mark !== false)
  const pairs = (access ?? []).map(({ resource, scope }) => `${scope} at ${resource}`)
  return lineText([
    step_id,
    agent_id ?? (step.approval_gate ? 'a person decides' : 'any agent'),
    ...(marks.length > 0 ? [`(${marks.join(', ')})`] : []),
    ...(dependencies.length >= named ? [`after ${dependencies.join(', ')}`] : []),
    ...(pairs.length > 0 ? [`may ${pairs.join('; ')}`] : []),
    ...(step.action === null ? [] : [`does ${step.action}`]),
  ])
}
