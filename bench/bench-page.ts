import { type Html, html } from '../demo/html.ts'
import { page } from '../demo/page.ts'
import { latencyPlot, processorPlot, ratePlot, ratioPlot } from './bench-plots.ts'
import type { Figures } from './figures.ts'
import type { BenchResult } from './result.ts'

/** One run of the bench as a page that loads nothing. */
export function benchPage({ workloads, peers, half_load, machine }: BenchResult): string {
  const figures = { ...workloads, ...peers }
  const ratios = Object.values(workloads).flatMap(own => own.ratios)
  const { cores, node, oidc_provider, postgres, connections, load_before, processor, workers } = machine
  const body = html`<h1>What a token costs</h1>
<p class="soft">${cores} cores (${processor}), Node ${node}, oidc-provider ${oidc_provider} with its in-memory adapter,
Postgres ${postgres.server_version ?? ''} with fsync ${postgres.fsync ?? ''} and synchronous_commit ${postgres.synchronous_commit ?? ''};
${connections} connections, ${workers.join(', ')} workers of Remit. ${load_before.toFixed(2)} processes were runnable as the run began. Everything was measured in one
run, a round of each in turning order, with everybody else stopped. Rates and times are of this machine; ratios travel.</p>
<h2>Ratios, round by round</h2>
<p class="soft">The mark is the median of the ratios of rounds beside each other, the bar its 95 % interval, the dashed line what
was promised. Right is better; the scale is logarithmic.</p>
${ratioPlot(ratios)}
<h2>Good answers a second</h2>
<p class="soft">A dot is a round, the mark the median. The scale is logarithmic.</p>
${ratePlot(figures)}
<h2>Processor time of one request</h2>
<p class="legend"><span class="swatch server"></span>server <span class="swatch verifier"></span>database
<span class="swatch network"></span>load generator, which has the same cores</p>
${processorPlot(figures)}
<h2>Latency</h2>
<p class="soft">With every connection always busy: the line goes from the median to the 99.9th percentile, the ring is the 99th.
${half_load ? 'At half load requests arrive at random at half of the peer’s own peak, and none waits for the one before it.' : ''}</p>
${latencyPlot({ ...figures, ...halfLoadRows(half_load) })}
<h2>Figures</h2>
<div class="scroll">${table(figures)}</div>`
  return page('Remit: what a token costs', body)
}

function halfLoadRows(
  half_load: BenchResult['half_load'],
): Readonly<Record<string, Pick<Figures, 'p50' | 'p99' | 'p999'>>> {
  const rows = Object.entries(half_load ?? {})
  return Object.fromEntries(
    rows.map(([peer, { per_second, ...latency }]) => [`${peer}, half load, ${per_second} a second`, latency]),
  )
}

function table(figures: Readonly<Record<string, Figures>>): Html {
  const heads = [
    'What',
    'A second',
    '95 % interval',
    'p50, p99, p99.9',
    'CPU of server, database, generator',
    'MB of the same',
  ]
  return html`<table>
<tr>${heads.map(head => html`<th>${head}</th>`)}</tr>
${Object.entries(figures).map(
  ([name, { median, interval, p50, p99, p999, cpu_ms_per_request: cpu, rss }]) => html`<tr><td>${name}</td>
<td>${Math.round(median)}</td><td>${interval.map(Math.round).join(' to ')}</td>
<td>${[p50, p99, p999].map(time => time.toFixed(1)).join(', ')} ms</td>
<td>${[cpu.server, cpu.database, cpu.generator].map(time => time.toFixed(3)).join(', ')} ms</td>
<td>${[rss.server, rss.database, rss.generator].map(bytes => Math.round(bytes / 2 ** 20)).join(', ')}</td></tr>
`,
)}</table>`
}
