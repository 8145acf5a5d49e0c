import type { StepView } from '../protocol/workflow-views.ts'
import { type BoxText, boxSize, GraphBox } from './graph-box.tsx'
import { type ChangedStep, marksOf } from './workflow-graph.ts'
import type { Box } from './workflow-layout.ts'

/** One step of a drawn workflow: a box, or for a gate a long diamond. */
export function StepBox({ changed: { step, change }, box }: { changed: ChangedStep; box: Box }) {
  return (
    <GraphBox
      text={textOf(step, change === 'same' ? '' : change, change)}
      box={box}
      look={`${change}${step.required ? ' required' : ''}`}
    />
  )
}

/** In pixels; whatever the change of the step is called. */
export function stepSize(step: StepView): { width: number; height: number } {
  return boxSize(textOf(step, 'changed', ''))
}

function textOf(step: StepView, mark: string, change: string): BoxText {
  const marks = marksOf(step)
  const whose = agentOf(step)
  return {
    name: step.step_id,
    whose,
    marks: [...(mark === '' ? [] : [mark]), ...marks].join(' · '),
    title: [step.step_id, whose, ...marks, change].join(', '),
    isGate: step.approval_gate,
  }
}

/** Whose a step is. */
export function agentOf({ agent_id, approval_gate }: Pick<StepView, 'agent_id' | 'approval_gate'>): string {
  return agent_id ?? (approval_gate ? 'a person decides' : 'any agent')
}
