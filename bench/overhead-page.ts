import { Html, html } from '../demo/html.ts'
import { page } from '../demo/page.ts'
import { type Measured, quantile } from './rounds.ts'

export type Overhead = {
  readonly parts: readonly Measured[]
  readonly calls: readonly Measured[]
  readonly ratios: readonly string[]
  readonly machine: string
}

const [WIDTH, LEFT, ROW] = [900, 250, 46]
const TICKS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]

/** What protection costs, as one page that loads nothing. */
export function overheadPage({ parts, calls, ratios, machine }: Overhead): string {
  const body = html`<h1>What protection costs</h1>
<p class="soft">${machine}. Everything was measured in one run, in turning order; times are of this machine, ratios travel.
Each line goes from the 5th to the 95th percentile, the thick part holds the middle half, the mark is the median and the
small circle the 99th percentile. The scale is logarithmic.</p>
<p class="soft">An agent shows one token, and proofs by one key, for minutes: “verify” has seen both before and remembers that the
token’s signature held and what the key is; “verify, token seen first” has a new token each time. Both see to it that no proof is
taken twice, which oauth4webapi leaves to its caller. The bare checks are the signatures of one token and one proof and nothing
else, by node:crypto on the calling thread; WebCrypto goes to another thread and back for each.</p>
<h2>One whole call, token cached</h2>
${plot(calls)}
<h2>The parts</h2>
${plot(parts)}
<h2>Ratios</h2>
<ul>${ratios.map(text => html`<li>${text}</li>`)}</ul>
<h2>Figures</h2>
<div class="scroll"><table>
<tr><th>What</th><th>Median</th><th>99th percentile</th><th>Rounds</th></tr>
${[...calls, ...parts].map(
  ({ name, median, p99, times }) =>
    html`<tr><td>${name}</td><td>${text(median)}</td><td>${text(p99)}</td><td>${times.length}</td></tr>`,
)}
</table></div>`
  return page('Remit: what protection costs', body)
}

function plot(rows: readonly Measured[]): Html {
  const all = rows.flatMap(({ times, p99 }) => [quantile(times, 0.05), p99])
  const [from, to] = [Math.min(...all) * 0.8, Math.max(...all) * 1.25]
  const x = (time: number) =>
    LEFT + ((Math.log(time) - Math.log(from)) / (Math.log(to) - Math.log(from))) * (WIDTH - LEFT - 20)
  const height = rows.length * ROW + 34
  const ticks = TICKS.filter(tick => tick > from && tick < to)
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Times of ${rows.map(({ name }) => name).join(', ')}">
${ticks.map(
  tick => html`<path d="M${x(tick).toFixed(1)} 0V${height - 26}" stroke-opacity=".35"/>
<text class="soft" text-anchor="middle" x="${x(tick).toFixed(1)}" y="${height - 8}">${tick} ms</text>`,
)}
${rows.map((row, index) => strip(row, index * ROW + ROW / 2, x))}
</svg>`
}

function strip({ name, times, median, p99 }: Measured, y: number, x: (time: number) => number): Html {
  const at = (part: number) => x(quantile(times, part)).toFixed(1)
  const colour = 'style="stroke:var(--bar)'
  return html`<text x="0" y="${y - 2}">${name}</text><text class="soft" x="0" y="${y + 14}">${text(median)}</text>
<path d="M${at(0.05)} ${y}H${at(0.95)}" ${new Html(`${colour};stroke-width:3"`)}/>
<path d="M${at(0.25)} ${y}H${at(0.75)}" ${new Html(`${colour};stroke-width:12;stroke-opacity:.6"`)}/>
<path d="M${at(0.5)} ${y - 12}V${y + 12}" ${new Html('style="stroke:var(--text);stroke-width:3"')}/>
<circle cx="${x(p99).toFixed(1)}" cy="${y}" r="4.5" ${new Html('style="fill:none;stroke:var(--bar);stroke-width:2"')}/>`
}

function text(time: number): string {
  return `${time < 1 ? time.toFixed(3) : time.toFixed(2)} ms`
}
