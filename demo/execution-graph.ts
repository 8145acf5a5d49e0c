import { drawnEdges } from '../src/console/drawn-edges.ts'
import { type Box, drawing, type Point, pathThrough } from '../src/console/workflow-layout.ts'
import type { ExecutionStepView, ExecutionView } from '../src/protocol/execution.ts'
import { type Html, html } from './html.ts'

type Approval = ExecutionView['approvals'][number]
type Node = { readonly step: ExecutionStepView; readonly lines: readonly string[] }
type Edge = ExecutionView['edges'][number]

/** Pixels of one letter of the small type, around the text, and of a line of it. */
const LETTER = 7.2
const MARGIN = 28
const LINE = 18

/**
 * The steps of an execution by the edges that the server sent, in layers: what may run side by side stands so. Each box
 * says how far its step came, and who decided about it.
 */
export function executionGraph({ workflow_id, steps, edges, approvals }: ExecutionView): Html {
  const nodes = steps.map((step): Node => ({ step, lines: linesOf(step, approvals) }))
  const shown =
    drawnEdges(
      steps.map(({ step_id }) => step_id),
      edges,
    ) ?? []
  const { width, height, boxes, lines } = drawing(nodes.map(sized), shown, 'LR')
  return html`<svg viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" role="img" aria-label="Steps of ${workflow_id}">
${lines.map(({ edge, points }) => arrow(edge, points))}${nodes.map(node => drawn(node, boxes.get(node.step.step_id)))}</svg>
<p class="legend">${['entered', 'left', 'open', 'waiting', 'granted'].map(
    state => html`<span class="swatch at-${state}"></span>${state === 'granted' ? 'gate that was passed' : state}`,
  )}</p>`
}

/** Under the name: whose it is, how far it came, and what was decided about it. */
function linesOf(
  { step_id, agent_id, approval_gate, state, tokens }: ExecutionStepView,
  approvals: readonly Approval[],
) {
  const count = tokens > 0 ? [`${tokens} token${tokens === 1 ? '' : 's'}`] : []
  const passed = approval_gate && state === 'granted' ? 'passed' : [state, ...count].join(', ')
  const decisions = approvals.filter(approval => approval.step_id === step_id).map(decisionOf)
  return [agent_id ?? 'a person decides', passed, ...decisions]
}

function decisionOf({ status, decided_by }: Approval): string {
  if (decided_by === null) return 'waits for an approval'
  return `${status === 'granted' ? '✓ approved' : '✗ denied'} by ${decided_by}`
}

function sized({ step, lines }: Node) {
  const longest = Math.max(step.step_id.length * 1.2, ...lines.map(line => line.length))
  return { id: step.step_id, width: Math.max(110, longest * LETTER + MARGIN), height: 34 + lines.length * LINE }
}

function drawn({ step, lines }: Node, box: Box | undefined): Html {
  if (!box) return html``
  const [left, top] = [box.x - box.width / 2, box.y - box.height / 2]
  return html`<g><title>${[step.step_id, ...lines].join(', ')}</title>
<rect class="at-${step.state}${step.approval_gate ? ' gate' : ''}" x="${left}" y="${top}" width="${box.width}" height="${box.height}" rx="9"/>
<text x="${left + 14}" y="${top + 24}">${step.step_id}</text>${lines.map(
    (line, index) =>
      html`<text class="${index > 1 ? 'decision' : 'soft'}" x="${left + 14}" y="${top + 43 + index * LINE}">${line}</text>`,
  )}</g>
`
}

/** Ends in a head: the last stretch of the line comes from the left. */
function arrow({ from, to, kind }: Edge, points: readonly Point[]): Html {
  const { x, y } = points.at(-1) ?? { x: 0, y: 0 }
  return html`<g><title>${from} before ${to}</title><path class="${kind}" d="${pathThrough(points)}"/>
<path class="head" d="M${x - 9} ${y - 5} L${x} ${y} L${x - 9} ${y + 5} Z"/></g>
`
}
