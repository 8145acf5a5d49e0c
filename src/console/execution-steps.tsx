import type { ExecutionStepView, ExecutionView } from '../protocol/execution.ts'
import { Badge, Id } from './badge.tsx'
import { type BoxText, boxSize, GraphBox } from './graph-box.tsx'
import { GraphDrawing } from './graph-drawing.tsx'
import { ForeignText } from './marked-text.tsx'
import { Scroll } from './scroll.tsx'
import { agentOf } from './step-box.tsx'
import { Moment } from './time.tsx'

type Edges = ExecutionView['edges']

/** How far an execution came, drawn; the table below it says the same. */
export function StepsDrawing(props: { steps: readonly ExecutionStepView[]; edges: Edges; label: string }) {
  const { steps, edges, label } = props
  const byId = new Map(steps.map(step => [step.step_id, step]))
  // A box is as wide as it may become, so that the drawing does not jump while it runs.
  const nodes = steps.map(step => ({ id: step.step_id, ...boxSize({ ...textOf(step), marks: WIDEST }) }))
  return (
    <GraphDrawing label={label} nodes={nodes} edges={edges}>
      {(id, box) => {
        const step = byId.get(id)
        if (!step) return null
        const look = `at-${step.state}${step.protected ? ' protected' : ''}${step.required ? ' required' : ''}`
        return <GraphBox key={id} text={textOf(step)} box={box} look={look} />
      }}
    </GraphDrawing>
  )
}

const WIDEST = 'waiting · needs approval'

function textOf(step: ExecutionStepView): BoxText {
  const { step_id, state, approval_gate, required } = step
  const whose = agentOf(step)
  const marks = [state, ...(step.protected ? ['needs approval'] : countOf(step))]
  const kinds = [...(approval_gate ? ['gate'] : []), ...(required ? ['required'] : [])]
  return {
    name: step_id,
    whose,
    marks: marks.join(' · '),
    title: [step_id, whose, ...marks, ...kinds].join(', '),
    isGate: approval_gate,
  }
}

function countOf({ entries, tokens, approval_gate }: ExecutionStepView): readonly string[] {
  if (entries === 0 || approval_gate) return []
  return [`${tokens} ${tokens === 1 ? 'token' : 'tokens'}`]
}

/** Everything that the drawing shows, and when it happened. */
export function ExecutionStepTable({ steps, edges }: { steps: readonly ExecutionStepView[]; edges: Edges }) {
  return (
    <Scroll kind="steps" label="Table of the steps">
      <table>
        <caption class="hear">Steps in the order of the definition</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Agent</th>
            <th scope="col">After</th>
            <th scope="col">State</th>
            <th scope="col">Since</th>
            <th scope="col" class="number">
              Entries
            </th>
            <th scope="col" class="number">
              Tokens
            </th>
            <th scope="col">Rules</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(step => (
            <StepRow key={step.step_id} step={step} after={edges.filter(({ to }) => to === step.step_id)} />
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function StepRow({ step, after }: { step: ExecutionStepView; after: Edges }) {
  const since = step.left_at ?? step.entered_at
  return (
    <tr class={step.protected && step.state !== 'waiting' ? 'waiting' : undefined}>
      <th scope="row">
        <Id id={step.step_id} />
        {step.action !== null && (
          <p class="quiet">
            <ForeignText text={step.action} />
          </p>
        )}
      </th>
      <td>{step.agent_id === null ? <span class="quiet">{agentOf(step)}</span> : <Id id={step.agent_id} />}</td>
      <td class="ids">
        {after.length === 0 ? <span class="quiet">–</span> : after.map(({ from }) => <Id key={from} id={from} />)}
      </td>
      <td>
        <Badge state={step.state} /> {step.protected && <span class="waits">needs approval</span>}
      </td>
      <td>{since === null ? <span class="quiet">–</span> : <Moment at={since} short />}</td>
      <td class="number">{step.entries}</td>
      <td class="number">{step.tokens}</td>
      <td>{rulesOf(step).join(', ')}</td>
    </tr>
  )
}

function rulesOf(step: ExecutionStepView): readonly string[] {
  return [
    ...(step.approval_gate ? ['gate'] : []),
    ...(step.required ? ['required'] : []),
    ...(step.requires_approval ? ['requires approval'] : []),
    ...(step.repeatable ? ['repeatable'] : []),
    ...(step.reversible ? [] : ['not reversible']),
  ]
}
