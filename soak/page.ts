import { type Html, html } from '../demo/html.ts'
import { page } from '../demo/page.ts'
import { bytesOf, MB, rowsOf, slopeText } from './bounds.ts'
import { timePlot } from './plot.ts'
import { type Course, latencyPoints, memoryPoints, type Result } from './result.ts'

const COLOURS = ['--bar', '--server', '--verifier', '--tool', '--bad', '--soft']
const LOOK = `
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)) }
figure { margin: 0; padding: .6rem .8rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
figcaption { color: var(--soft); font-size: .85rem } .key { white-space: nowrap; margin-left: .7rem }
.line { display: inline-block; width: 1.1rem; height: .22rem; margin-right: .3rem; vertical-align: middle }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem }
td, th { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line) }
`
const SAID = { held: 'held', passed: 'passed', open: 'not decided' } as const

/** One soak as a page that loads nothing. */
export function soakPage(course: Course, result: Result, machine: string): string {
  const { minutes, capacity_per_second, load_per_second, requests, warm_up } = result
  const body = html`<h1>Remit under half load, ${minutes} min</h1>
<p class="soft">${machine}. ${Math.round(load_per_second)} requests a second at random times, which do not wait for answers: half of the
${Math.round(capacity_per_second)} that the server could answer; ${requests.toLocaleString('en')} requests in all. The grey part is the
warm-up of ${Math.round(warm_up)} seconds, which no figure below counts. Slopes are medians of all pairs of stretches of time, with a
95 % interval.</p>
<h2>Bounds</h2>
<div class="scroll"><table>${result.bounds.map(
    ({
      what,
      verdict,
      told,
    }) => html`<tr><td><span class="verdict small${verdictLook(verdict)}">${SAID[verdict]}</span></td>
<td>${what}</td><td class="soft">${told}</td></tr>`,
  )}</table></div>
<h2>Over time</h2>
<div class="plots">${plotsOf(course)}</div>
<h2>Slopes</h2>
<div class="scroll"><table>${Object.entries(result.slopes).map(([name, slope]) => {
    const [what = '', unit = ''] = name.split(/, (?=[^,]*$)/)
    return html`<tr><td>${what}</td><td>${slope ? slopeText(slope, unit) : 'too few samples'}</td></tr>`
  })}</table></div>
<h2>Tables</h2>
<div class="scroll"><table><tr><th>Table</th><th>MB</th><th>Rows</th><th>MB an hour, after the warm-up</th></tr>${result.tables.map(
    ({ name, mb, rows, mb_an_hour }) => html`<tr><td>${name}</td><td>${mb.toFixed(1)}</td>
<td>${rows.toLocaleString('en')}</td><td>${mb_an_hour.toFixed(1)}</td></tr>`,
  )}</table></div>`
  return page('Remit: a soak', body, LOOK)
}

function plotsOf({ samples, tables, stretches, warm_up }: Course): readonly Html[] {
  const line = (name: string, index: number, points: Parameters<typeof timePlot>[0]['lines'][number]['points']) => ({
    ...{ name, points, colour: COLOURS[index % COLOURS.length] ?? '--bar' },
  })
  const last = tables.at(-1)?.tables ?? []
  const largest = last.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5)
  const scaled = (name: string) => bytesOf(name, tables).map(({ at, value }) => ({ at, value: value / MB }))
  return [
    timePlot({
      ...{ about: 'Memory of the server', unit: 'MB', warm_up },
      lines: [
        line('resident', 0, memoryPoints(samples, 'rss')),
        line('heap in use', 1, memoryPoints(samples, 'heap')),
        line('external', 2, memoryPoints(samples, 'external')),
      ],
    }),
    timePlot({
      ...{ about: 'Memory of Postgres, shared pages counted once', unit: 'MB', warm_up },
      lines: [line('resident', 0, memoryPoints(samples, 'database_rss'))],
    }),
    timePlot({
      ...{ about: 'Latency from the planned time, some seconds at a time', unit: 'ms', warm_up },
      lines: [line('p50', 0, latencyPoints(stretches, 0.5)), line('p99', 1, latencyPoints(stretches, 0.99))],
    }),
    timePlot({
      ...{ about: 'Delay of the event loop', unit: 'ms', warm_up },
      lines: [
        line(
          'p99',
          0,
          samples.map(({ at, event_loop_ms: value }) => ({ at, value })),
        ),
      ],
    }),
    timePlot({
      ...{ about: 'Descriptors', unit: 'open', warm_up },
      lines: [
        line(
          'server',
          0,
          samples.map(({ at, descriptors: value }) => ({ at, value })),
        ),
        line(
          'Postgres',
          1,
          samples.map(({ at, database_descriptors: value }) => ({ at, value })),
        ),
      ],
    }),
    timePlot({
      ...{ about: 'Single uses that are kept', unit: 'rows', warm_up },
      lines: [line('replay', 0, rowsOf('replay', tables))],
    }),
    timePlot({
      ...{ about: 'The largest tables', unit: 'MB', warm_up },
      lines: largest.map(({ name }, index) => line(name, index, scaled(name))),
    }),
  ]
}

function verdictLook(verdict: Result['bounds'][number]['verdict']): string {
  return { held: ' good', passed: ' bad', open: '' }[verdict]
}
