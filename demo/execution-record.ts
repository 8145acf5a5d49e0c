import type { ExecutionView } from '../src/protocol/execution.ts'
import { executionGraph } from './execution-graph.ts'
import { type Html, html } from './html.ts'

/** An execution as the server recorded it: its steps as a graph, who approved what, and which token came from which. */
export function executionRecord(execution: ExecutionView): Html {
  const { tokens, approvals } = execution
  return html`<div class="scroll">${executionGraph(execution)}</div>
<div class="scroll"><table>
<tr><th>Token</th><th>Step</th><th>Agent</th><th>Minted from</th><th>By approval</th></tr>
${tokens.map(
  ({ jti, workflow_step, agent_id, parent_jti, approval_id }) => html`<tr><td><code>${short(jti)}</code></td>
<td>${workflow_step ?? ''}</td><td>${agent_id ?? ''}</td><td>${maybe(parent_jti)}</td><td>${maybe(approval_id)}</td></tr>
`,
)}</table></div>
<div class="scroll"><table>
<tr><th>Approval</th><th>Step</th><th>Decision</th><th>By</th><th>Of arguments with the digest</th></tr>
${approvals.map(
  ({
    approval_id,
    step_id,
    status,
    decided_by,
    arguments_digest,
  }) => html`<tr><td><code>${short(approval_id)}</code></td>
<td>${step_id}</td><td>${status}</td><td><code>${decided_by ?? ''}</code></td><td><code>${arguments_digest ?? 'none'}</code></td></tr>
`,
)}</table></div>`
}

function maybe(id: string | null): Html {
  return id === null ? html`` : html`<code>${short(id)}</code>`
}

function short(id: string): string {
  return `${id.slice(0, 10)}…`
}
