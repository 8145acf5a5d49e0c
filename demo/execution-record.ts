import type { ExecutionStepView, ExecutionView } from '../src/protocol/execution.ts'
import { type Box, boxes } from './boxes.ts'
import { type Html, html } from './html.ts'

/** An execution as the server recorded it: its steps, and which token was minted from which. */
export function executionRecord({ steps, tokens }: ExecutionView): Html {
  return html`<div class="scroll">${boxes(steps.map(stepBox), [])}</div>
<div class="scroll"><table>
<tr><th>Token</th><th>Step</th><th>Agent</th><th>Minted from</th></tr>
${tokens.map(
  ({ jti, workflow_step, agent_id, parent_jti }) => html`<tr><td><code>${short(jti)}</code></td>
<td>${workflow_step ?? ''}</td><td>${agent_id ?? ''}</td><td>${parent_jti === null ? html`` : html`<code>${short(parent_jti)}</code>`}</td></tr>
`,
)}</table></div>`
}

function stepBox({ step_id, agent_id, approval_gate, state, tokens }: ExecutionStepView): Box {
  const words = state === 'granted' ? 'approved' : `${state}, ${tokens} token${tokens === 1 ? '' : 's'}`
  const kind = `${state === 'entered' || state === 'granted' ? 'done' : 'past'}${approval_gate ? ' gate' : ''}`
  return { title: step_id, lines: [agent_id ?? 'a person decides', words], kind }
}

function short(id: string): string {
  return `${id.slice(0, 10)}…`
}
