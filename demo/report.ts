import type { Agent } from './agents.ts'
import type { Outcome } from './attempt.ts'
import { type Html, html, json } from './html.ts'
import { notesPart } from './mcp/drawing.ts'
import { page } from './page.ts'
import { patchPart } from './patch/drawing.ts'
import type { Step } from './progress.ts'
import type { Findings, MintedToken } from './scenario.ts'
import { STEPS } from './story.ts'

export type Report = {
  readonly ok: boolean
  readonly steps: readonly Step[]
  readonly refusals: readonly Outcome[]
  readonly findings: Findings
}

/** The whole demo as one HTML page that loads nothing: no script, no font, no picture. */
export function renderReport(report: Report): string {
  const { steps, refusals, findings } = report
  const body = html`${head(report)}
${patchPart(findings.patch)}
${notesPart(findings.notes)}
<h2>What was done</h2>
<p class="soft">Nothing is played: a server of its own, asked over HTTP, and published MCP servers, asked over stdio. The bars show when and how long.</p>
<div class="scroll"><table>
<tr><th>Step</th><th>Result</th><th>Time</th></tr>
${steps.map(step => timelineRow(step, totalOf(steps)))}
</table></div>
<h2>What must not work</h2>
<p class="soft">Each attempt was made for real over HTTP. Most are an honest request, which works, with one thing
changed. An attempt counts as refused only where status and error are the expected ones.</p>
<div class="scroll"><table>
<tr><th>Attempt</th><th>Answer</th><th>What it means</th></tr>
${refusals.map(refusalRow)}
</table></div>
<h2>Three agents</h2>
<p class="soft">An agent is its prompt, its tools and its configuration. The checksum is the SHA-256 of all of that
(profile jcs), the tools are what the published MCP server itself answered to <code>tools/list</code>.</p>
<div class="cards">${findings.agents.map(agentCard)}</div>
<h2>A token for each step</h2>
<p class="soft">The agent's own key signed the request, and the token is bound to that key (<code>cnf.jkt</code>). The
signatures are left out here. Both hashes were computed again by the demo. <code>state: asserted</code> says that the app
itself vouches for the steps before and for the chain, as the draft has it: this app asked for that mode. The second act
above is <code>state: recorded</code>.</p>
${findings.tokens.map(tokenCard)}`
  return page('Remit: demo report', body)
}

function head({ ok, steps, refusals }: Report): Html {
  const refused = refusals.filter(outcome => outcome.refused).length
  const verdict = ok
    ? html`<span class="verdict good">All as it should be</span>`
    : html`<span class="verdict bad">Not as it should be</span>`
  return html`<h1>Remit: three agents, one workflow, and what must not work</h1>
<p>${verdict}</p>
<p>${steps.filter(step => step.ok).length} of ${steps.length} steps done, ${refused} of ${refusals.length} attempts
refused as expected, in ${seconds(totalOf(steps))}.</p>`
}

function timelineRow({ title, ok, detail, started, milliseconds }: Step, total: number): Html {
  const left = ((started / total) * 100).toFixed(1)
  const width = ((milliseconds / total) * 100).toFixed(1)
  return html`<tr><td>${mark(ok, ok ? 'ok' : 'failed')} ${title}</td><td>${detail}</td>
<td class="time"><small>${seconds(milliseconds)}</small><span class="track"><span style="left:min(${left}%, 100% - 3px);width:${width}%"></span></span></td></tr>
`
}

function agentCard({ components, checksum, source }: Agent): Html {
  const { agent_id, prompt_template, tools } = components
  return html`<div class="card"><h3>${agent_id}</h3>
<p>${prompt_template}</p>
<p><small>checksum</small><br><code>sha256:${checksum}</code></p>
<details><summary>${tools.length} tools of <code>${source.server}</code> ${source.version}</summary>
${tools.map(({ name, description = '' }) => html`<p><code>${name}</code> <small>${description}</small></p>`)}</details></div>
`
}

function tokenCard({ step_id, header, claims, steps, chain, call }: MintedToken): Html {
  const rules = STEPS.find(step => step.step_id === step_id)?.rules ?? {}
  const words = Object.keys(rules).map(rule => html` <small>${rule.replaceAll('_', ' ')}</small>`)
  return html`<div class="card"><h3>${step_id}${words}</h3>
<p>The API checked this token with oauth4webapi and answered <code>${call}</code> with 200.</p>
<div class="pair"><div><small>header</small>${json(header)}</div><div><small>claims</small>${json(claims)}</div></div>
<dl>
<dt>step_sequence_hash</dt><dd>${hashOf(steps, claims.intent?.step_sequence_hash)}</dd>
<dt>delegation_chain</dt><dd>${hashOf(chain, claims.intent?.delegation_chain)}</dd>
</dl></div>
`
}

function hashOf(items: readonly string[], hash = ''): Html {
  return html`<code>${hash}</code> <small>first 16 hex digits of SHA-256 of</small> <code>${items.join('|')}</code>`
}

function refusalRow({
  name,
  attack,
  meaning,
  expected,
  status,
  error,
  precisely,
  description,
  refused,
}: Outcome): Html {
  const more = precisely === '' ? html`` : html`<br><code>(${precisely})</code>`
  const instead = refused ? html`` : html`<br><small>expected ${expected.status} ${expected.error}</small>`
  return html`<tr><td>${attack}<br><small><code>${name}</code></small></td>
<td>${mark(refused, refused ? 'refused' : 'NOT refused as expected')}<br><code>${status} ${error}</code>${more}${instead}<br><small>${description}</small></td>
<td>${meaning}</td></tr>
`
}

function mark(ok: boolean, text: string): Html {
  return html`<span class="verdict small ${ok ? 'good' : 'bad'}">${text}</span>`
}

function totalOf(steps: readonly Step[]): number {
  const last = steps.at(-1)
  return last ? last.started + last.milliseconds : 1
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 100 ? 3 : 1)} s`
}
