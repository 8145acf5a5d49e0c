import type { ExecutionView } from '../../src/protocol/execution.ts'
import { type Box, boxes } from '../boxes.ts'
import { executionRecord } from '../execution-record.ts'
import { type Html, html, json } from '../html.ts'
import type { NotesFindings } from './play.ts'
import type { SpawnedAgent } from './spawn-agent.ts'
import { timeline, typicalCall } from './timeline.ts'

/** The third act in the report: the processes and what they handed over, the execution, and a timeline of each call. */
export function notesPart({ execution, agents = [], approved, calls }: NotesFindings): Html {
  if (!execution) return html``
  return html`<h2>A real MCP server, agents as processes</h2>
<p class="soft">The published <code>@modelcontextprotocol/server-filesystem</code>, which knows nothing of tokens, behind a gateway
with the verifier: a rule for each tool. Each agent is a process of its own whose key never left it; a handoff is a text that one
process signs and the other presents. Before a file is written the gateway walks the chain by these signatures.</p>
<div class="scroll">${boxes(
    agents.map(agent => agentBox(agent, execution)),
    ['signed', 'signed'],
  )}</div>
<h3>Where the time of each call went</h3>
<p class="soft">Measured on both ends by the clock of the machine: in the agent's process around the shim and around its <code>fetch</code>,
in the gateway around the verifier and around the MCP server (sent back as <code>Server-Timing</code>). To enter a step the shim hashes what the agent is made of (its prompt and
${toolsOf(agents)} tools), signs, and waits for Remit's token; in a call it signs a proof over the body. Before the first call it has the tools listed, to compare them with those that
are registered. ${typicalCall(calls)}</p>
${timeline(calls)}
<h3>The execution, as the server recorded it</h3>
<p class="soft"><code>${execution.execution_id}</code> of ${execution.workflow_id} version ${execution.workflow_version}. A dashed box is
a gate: it came into the record because Anna approved exactly these arguments of <code>write_file</code>, and the gateway compared them.</p>
${approved === undefined ? html`` : json(JSON.parse(approved))}
${executionRecord(execution)}`
}

function agentBox({ agent_id, pid, sub }: SpawnedAgent, { delegations }: ExecutionView): Box {
  const step = delegations.find(({ delegate }) => delegate === sub)?.workflow_step ?? 'plan'
  return { title: agent_id, lines: [`step ${step}, process ${pid}`, sub], kind: 'past' }
}

function toolsOf([agent]: readonly SpawnedAgent[]): number {
  const tools = agent?.components.tools
  return Array.isArray(tools) ? tools.length : 0
}
