import type { StepView } from '../protocol/workflow-views.ts'
import { type ChangedStep, marksOf } from './workflow-graph.ts'
import type { Box } from './workflow-layout.ts'

/** Width of one letter of the drawing's type, and the most letters a line has, in pixels and letters. */
const LETTER = 7.3
const LONGEST = 34
const HEIGHT = 60

/** One step of a drawn workflow: a box, or for a gate a long diamond. */
export function StepBox({ changed: { step, change }, box }: { changed: ChangedStep; box: Box }) {
  const left = box.x - box.width / 2
  const top = box.y - box.height / 2
  const marks = marksOf(step)
  const kind = `${step.approval_gate ? ' gate' : ''}${step.required ? ' required' : ''}`
  const x = left + (step.approval_gate ? 24 : 13)
  return (
    <g class={`step ${change}${kind}`}>
      <title>{[step.step_id, agentOf(step), ...marks, change].join(', ')}</title>
      {step.approval_gate ? (
        <path class="shape" d={gateShape(left, top, box)} />
      ) : (
        <rect class="shape" x={left} y={top} width={box.width} height={box.height} rx="4" />
      )}
      <text class="step-id" x={x} y={top + 20}>
        {shortened(step.step_id)}
      </text>
      <text class="step-agent" x={x} y={top + 35}>
        {shortened(agentOf(step))}
      </text>
      <text class="step-marks" x={x} y={top + 50}>
        {[...(change === 'same' ? [] : [change]), ...marks].join(' · ')}
      </text>
    </g>
  )
}

/** In pixels, so that the longest of its lines fits. */
export function stepSize(step: StepView): { width: number; height: number } {
  const texts = [shortened(step.step_id), shortened(agentOf(step)), `changed · ${marksOf(step).join(' · ')}`]
  const letters = Math.max(...texts.map(text => text.length))
  return { width: Math.max(120, letters * LETTER + (step.approval_gate ? 48 : 26)), height: HEIGHT }
}

function agentOf({ agent_id, approval_gate }: StepView): string {
  return agent_id ?? (approval_gate ? 'a person decides' : 'any agent')
}

function gateShape(left: number, top: number, { width, height }: Box): string {
  const [right, bottom, middle] = [left + width, top + height, top + height / 2]
  return `M${left} ${middle}L${left + 16} ${top}L${right - 16} ${top}L${right} ${middle}L${right - 16} ${bottom}L${left + 16} ${bottom}Z`
}

function shortened(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`
}
