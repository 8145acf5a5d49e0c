import { type Html, html } from '../demo/html.ts'
import { page } from '../demo/page.ts'
import { type Entry, holds, type PlainResult, type RemitResult, type Tried } from './judge.ts'
import { ATTACK_STYLE } from './report-style.ts'
import type { Row } from './rows.ts'
import { setUpPart } from './set-up-part.ts'
import { POWERS, type Power } from './threat.ts'

export type Report = {
  readonly ok: boolean
  readonly entries: readonly Entry[]
  /** Undefined where the catalogue was left out. */
  readonly rows: readonly Row[] | undefined
}

const POWER_NAMES = ['m', 'n', 's', 'c'] as const satisfies readonly Power[]

/** All attacks as one HTML page that loads nothing: no script, no font, no picture. */
export function renderReport(report: Report): string {
  const threats = [...Map.groupBy(report.entries, ({ id }) => id).values()]
  const body = html`${head(report)}
<h2>What the attacker has</h2>
<p class="soft">Each power is taken by itself, and each threat is tried under every power that makes sense for it.</p>
<dl>${POWER_NAMES.map(power => html`<dt><span class="power">${power}</span></dt><dd>${POWERS[power]}</dd>`)}</dl>
<h2>Twelve threats</h2>
<p class="soft">Above in each field what came of it with plain OAuth, below with Remit. <b>limited</b> stands only under c: the attacker
gets somewhere, and every bound that is named was tried and held.</p>
${matrix(threats)}
<h2>How each was tried</h2>
<p class="soft">All over HTTP on real sockets, against a server process, an API with Remit’s verifier and agents with its shim. Honest
work was done right before and right after each case and had to pass. A refusal counts only where it is exactly the one expected:
what fails for another reason shows nothing.</p>
${threats.map(threatCard)}
${rowsPart(report.rows)}
${setUpPart()}`
  return page('Remit: attacks', body, ATTACK_STYLE)
}

function head({ ok, entries, rows }: Report): Html {
  const verdict = ok
    ? html`<span class="verdict good">All as it should be</span>`
    : html`<span class="verdict bad">Not as it should be</span>`
  const count = (test: (entry: Entry) => boolean) => entries.filter(test).length
  const tried = entries.reduce((sum, { tried: { remit, bounds } }) => sum + remit.length + bounds.length, 0)
  const catalogue =
    rows && tally(`${rows.filter(row => row.blocked).length} of ${rows.length}`, 'rows of the catalogue blocked')
  return html`<h1>Remit under attack</h1>
<p>The twelve threats that the Agentic JWT paper names (arXiv 2509.13597, section 4), carried out for real: once against a plain OAuth
set-up of stock libraries in which four agents share the Bearer token of their client, and once against Remit.</p>
<p>${verdict}</p>
<div class="tally">
${tally(String(entries.length), 'pairs of threat and power')}
${tally(`${count(entry => entry.plain_oauth === 'succeeds')} succeed`, 'with plain OAuth')}
${tally(`${count(({ remit }) => remit === 'succeeds')} succeed`, `with Remit: ${count(({ remit }) => remit === 'blocked')} blocked, ${count(({ remit }) => remit === 'limited')} limited`)}
${tally(String(tried), 'tries against Remit')}
${catalogue ?? html``}
</div>`
}

function tally(figure: string, what: string): Html {
  return html`<div class="card"><b>${figure}</b><small>${what}</small></div>`
}

function matrix(threats: readonly (readonly Entry[])[]): Html {
  return html`<div class="scroll"><table class="matrix">
<tr><th>Threat</th>${POWER_NAMES.map(power => html`<th>${power}</th>`)}</tr>
${threats.map(entries => {
  const [first] = entries
  const cells = POWER_NAMES.map(power => {
    const entry = entries.find(candidate => candidate.power === power)
    if (!entry) return html`<td class="none">·</td>`
    return html`<td>${plainChip(entry.plain_oauth)}<br>${remitChip(entry)}</td>`
  })
  return html`<tr><td><a href="#${first?.id ?? ''}">${first?.id ?? ''} ${first?.name ?? ''}</a></td>${cells}</tr>
`
})}
</table></div>`
}

function threatCard(entries: readonly Entry[]): Html {
  const [first] = entries
  if (!first) return html``
  return html`<div class="card" id="${first.id}"><h3>${first.id} ${first.name}</h3>
<p class="soft">${first.aim}</p>
${entries.map(caseOf)}</div>
`
}

function caseOf(entry: Entry): Html {
  const { power, plain_oauth, how, tried, faults } = entry
  const bounds = tried.bounds.length === 0 ? html`` : tries('What bounds it, each tried', tried.bounds)
  return html`<div class="case"><span class="power">${power}</span> <small>plain OAuth</small> ${plainChip(plain_oauth)} <small>Remit</small> ${remitChip(entry)}
<p>${how}</p>
${faults.map(fault => html`<p><span class="verdict small bad">not as it must be</span> ${fault}</p>`)}
<details><summary>${tried.plain.length + tried.remit.length + tried.bounds.length} tries</summary>
${tries('With plain OAuth', tried.plain)}${tries('With Remit', tried.remit)}${bounds}</details></div>
`
}

function tries(title: string, list: readonly Tried[]): Html {
  return html`<div class="scroll"><table class="tries"><tr><th>${title}</th><th>Answer</th></tr>
${list.map(
  ({
    what,
    got,
    answer,
  }) => html`<tr><td>${what}</td><td><span class="verdict small ${got ? 'bad' : 'good'}">${got ? 'got it' : 'refused'}</span> <code>${answer}</code></td></tr>
`,
)}</table></div>`
}

function rowsPart(rows: readonly Row[] | undefined): Html {
  if (!rows) return html``
  return html`<h2>The catalogue, row by row</h2>
<p class="soft">Beyond the twelve threats, a catalogue of attacks is kept as tests (<code>test/attacks/index.ts</code>). They were run just
now; a row is blocked where its test passed and none that names it failed. Rows about parts that are not built are not here.</p>
<div class="rows">${rows.map(({ n, blocked }) => html`<span class="${blocked ? 'good' : 'bad'}">${n}</span>`)}</div>
<details><summary>The tests by row</summary>
${rows.map(({ n, tests }) => html`<p><b>${n}</b> ${tests.map(title => html`<br><small>${title}</small>`)}</p>`)}</details>`
}

function plainChip(result: PlainResult): Html {
  return html`<span class="verdict small ${result === 'succeeds' ? 'bad' : 'good'}">${result}</span>`
}

function remitChip(entry: Entry): Html {
  const tone: Readonly<Record<RemitResult, string>> = { blocked: 'good', limited: 'mid', succeeds: 'bad' }
  return html`<span class="verdict small ${holds(entry) ? tone[entry.remit] : 'bad'}">${entry.remit}</span>`
}
