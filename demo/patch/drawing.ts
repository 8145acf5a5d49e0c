import type { ExecutionView } from '../../src/protocol/execution.ts'
import { type Box, bare, boxes } from '../boxes.ts'
import { executionGraph } from '../execution-graph.ts'
import { executionRecord } from '../execution-record.ts'
import { type Html, html, json } from '../html.ts'
import type { PatchFindings } from './play.ts'

/** The second act in the report: who handed to whom, the execution as the server recorded it, the last token. */
export function patchPart({ waiting, execution, token, chain = [] }: PatchFindings): Html {
  if (!waiting || !execution || !token) return html``
  return html`<h2>A person, a chain and a gate</h2>
<p class="soft">Alice signed in at an OpenID provider that is not Remit's. Each arrow between agents is a delegation signed with the key of
the agent on its left; the API walked them by these signatures alone and checked that the first key is registered.</p>
<div class="scroll">${boxes(chainBoxes(execution, chain), ['subject token', 'signed', 'signed'])}</div>
<h3>The execution while the patch waits, as the server recorded it</h3>
<p class="soft">An arrow leads from a step to one that waits for it. Plan and reproduce are entered side by side; the gate
joins them. The patcher asked, and was told to wait.</p>
<div class="scroll">${executionGraph(waiting)}</div>
<h3>The same execution, once the patch was applied</h3>
<p class="soft"><code>${execution.execution_id}</code> of ${execution.workflow_id} version ${execution.workflow_version},
initiated by <code>${execution.initiated_by}</code>. A dashed box is a gate:
it came into the record because Ben approved. What was entered before is left, and nobody gets back into it.</p>
${executionRecord(execution)}
<details><summary>The claims of the token that changed the repository</summary>${json(shortened(token.claims))}</details>`
}

function chainBoxes({ initiated_by, delegations }: ExecutionView, chain: readonly string[]): readonly Box[] {
  const agents = chain.map((subject): Box => {
    const step = delegations.find(({ delegate }) => delegate === subject)?.workflow_step
    return { title: bare(subject), lines: [step ? `for step ${step}` : 'the root', subject], kind: 'past' }
  })
  return [{ title: bare(initiated_by), lines: ['whose intent it is', initiated_by], kind: 'done' }, ...agents]
}

/** The proofs are signatures of a kilobyte together: only that they are there is told. */
function shortened(claims: { readonly delegation_proofs?: readonly string[] | undefined }): object {
  const { delegation_proofs, ...rest } = claims
  return { ...rest, delegation_proofs: delegation_proofs?.map(proof => `${proof.slice(0, 24)}…`) }
}
