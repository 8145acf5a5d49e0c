import type { ExecutionStepView, ExecutionView } from '../../src/protocol/execution.ts'
import { type Html, html, json } from '../html.ts'
import type { PatchFindings } from './play.ts'

const BOX = { width: 190, height: 74 }
const GAP = 56
const LINE = BOX.width + GAP

type Box = { readonly title: string; readonly lines: readonly string[]; readonly kind: string }

/** The second act in the report: who handed to whom, the execution as the server recorded it, the last token. */
export function patchPart({ execution, token, chain = [] }: PatchFindings): Html {
  if (!execution || !token) return html``
  return html`<h2>A person, a chain and a gate</h2>
<p class="soft">Alice signed in at an OpenID provider that is not Remit's. Each arrow between agents is a delegation signed with the key of
the agent on its left; the API walked them by these signatures alone and checked that the first key is registered.</p>
<div class="scroll">${row(chainBoxes(execution, chain), ['subject token', 'signed', 'signed'])}</div>
<h3>The execution, as the server recorded it</h3>
<p class="soft"><code>${execution.execution_id}</code> of ${execution.workflow_id} version ${execution.workflow_version},
initiated by <code>${execution.initiated_by}</code>. A dashed box is a gate: it came into the record because Ben approved.</p>
<div class="scroll">${row(execution.steps.map(stepBox), [])}</div>
<div class="scroll"><table>
<tr><th>Token</th><th>Step</th><th>Agent</th><th>Minted from</th></tr>
${execution.tokens.map(
  ({ jti, workflow_step, agent_id, parent_jti }) => html`<tr><td><code>${short(jti)}</code></td>
<td>${workflow_step ?? ''}</td><td>${agent_id ?? ''}</td><td>${parent_jti === null ? html`` : html`<code>${short(parent_jti)}</code>`}</td></tr>
`,
)}</table></div>
<details><summary>The claims of the token that changed the repository</summary>${json(shortened(token.claims))}</details>`
}

function chainBoxes({ initiated_by, delegations }: ExecutionView, chain: readonly string[]): readonly Box[] {
  const agents = chain.map((subject): Box => {
    const step = delegations.find(({ delegate }) => delegate === subject)?.workflow_step
    return { title: bare(subject), lines: [step ? `for step ${step}` : 'the root', subject], kind: 'past' }
  })
  return [{ title: bare(initiated_by), lines: ['whose intent it is', initiated_by], kind: 'done' }, ...agents]
}

function stepBox({ step_id, agent_id, approval_gate, state, tokens }: ExecutionStepView): Box {
  const words = state === 'granted' ? 'approved' : `${state}, ${tokens} token${tokens === 1 ? '' : 's'}`
  const kind = `${state === 'entered' || state === 'granted' ? 'done' : 'past'}${approval_gate ? ' gate' : ''}`
  return { title: step_id, lines: [agent_id ?? 'a person decides', words], kind }
}

/** Boxes from left to right with arrows between them, each arrow with its word. */
function row(boxes: readonly Box[], words: readonly string[]): Html {
  const width = boxes.length * LINE - GAP + 4
  const label = boxes.map(({ title }) => title).join(', then ')
  return html`<svg viewBox="0 0 ${width} ${BOX.height + 26}" width="${width}" role="img" aria-label="${label}">
${boxes.map((box, index) => drawn(box, 2 + index * LINE))}
${boxes.slice(1).map((_, index) => arrow(2 + index * LINE + BOX.width, words[index] ?? ''))}
</svg>`
}

function drawn({ title, lines, kind }: Box, x: number): Html {
  return html`<g><rect class="${kind}" x="${x}" y="22" width="${BOX.width}" height="${BOX.height}" rx="9"/>
<text x="${x + 14}" y="47">${title}</text>${lines.map(
    (line, index) => html`<text class="soft" x="${x + 14}" y="${66 + index * 17}">${clipped(line)}</text>`,
  )}</g>
`
}

function arrow(x: number, word: string): Html {
  const y = 22 + BOX.height / 2
  const end = x + GAP - 5
  return html`<path d="M${x + 4} ${y} H${end - 7}"/><path class="head" d="M${end - 8} ${y - 5} L${end} ${y} L${end - 8} ${y + 5} Z"/>
<text class="soft" x="${x + GAP / 2}" y="14" text-anchor="middle">${word}</text>
`
}

function bare(subject: string): string {
  return subject.slice(subject.lastIndexOf(':') + 1)
}

function clipped(text: string): string {
  return text.length > 26 ? `${text.slice(0, 25)}…` : text
}

function short(id: string): string {
  return `${id.slice(0, 10)}…`
}

/** The proofs are signatures of a kilobyte together: only that they are there is told. */
function shortened(claims: { readonly delegation_proofs?: readonly string[] | undefined }): object {
  const { delegation_proofs, ...rest } = claims
  return { ...rest, delegation_proofs: delegation_proofs?.map(proof => `${proof.slice(0, 24)}…`) }
}
