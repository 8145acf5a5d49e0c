import { Html, html } from '../demo/html.ts'
import type { Figures } from './figures.ts'
import type { Ratio } from './ratios.ts'

type Figured = Readonly<Record<string, Figures>>
type Row = { readonly name: string; readonly note: string; readonly marks: (x: Scale, y: number) => readonly Html[] }
type Scale = (value: number) => string

const [WIDTH, LEFT, RIGHT, ROW] = [1_000, 330, 30, 46]
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]

export function ratioPlot(ratios: readonly Ratio[]): Html {
  const rows = ratios.map(({ of, to, median, interval: [low, high], bound }) => ({
    name: of,
    note: `${median.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}] of ${to}`,
    marks: (x: Scale, y: number) => [
      line(
        `M${x(low)} ${y}H${x(high)}`,
        `stroke:var(${isHeld(median, bound) ? '--bar' : '--bad'});stroke-width:10;stroke-opacity:.55`,
      ),
      tick(x(median), y),
      ...(bound === undefined ? [] : [line(`M${x(bound)} ${y - 18}V${y + 18}`, 'stroke-dasharray:4 3;stroke-width:2')]),
    ],
  }))
  return logPlot(
    rows,
    ratios.flatMap(({ interval, bound }) => [...interval, bound ?? 1]),
    '×',
  )
}

export function ratePlot(figures: Figured): Html {
  const rows = Object.entries(figures).map(([name, { median, rounds }]) => ({
    name,
    note: `${Math.round(median)} a second`,
    marks: (x: Scale, y: number) => [
      ...rounds.map(rate => circle(x(rate), y, 'fill:var(--bar);fill-opacity:.45;stroke:none')),
      tick(x(median), y),
    ],
  }))
  return logPlot(
    rows,
    Object.values(figures).flatMap(({ rounds }) => rounds),
    '/s',
  )
}

export function latencyPlot(all: Readonly<Record<string, Pick<Figures, 'p50' | 'p99' | 'p999'>>>): Html {
  const rows = Object.entries(all).map(([name, { p50, p99, p999 }]) => ({
    name,
    note: `p99 ${p99.toFixed(1)} ms`,
    marks: (x: Scale, y: number) => [
      line(`M${x(p50)} ${y}H${x(p999)}`, 'stroke:var(--bar);stroke-width:3'),
      tick(x(p50), y),
      circle(x(p99), y, 'fill:var(--page);stroke:var(--bar);stroke-width:2.5'),
    ],
  }))
  return logPlot(
    rows,
    Object.values(all).flatMap(({ p50, p999 }) => [p50, p999]),
    ' ms',
  )
}

/** Bars from zero: parts of one sum cannot stand on a logarithmic scale. */
export function processorPlot(figures: Figured): Html {
  const sums = Object.values(figures).map(({ cpu_ms_per_request: cpu }) => cpu.server + cpu.database + cpu.generator)
  const unit = (WIDTH - LEFT - RIGHT) / Math.max(...sums)
  return svg(
    'Processor time of one request',
    Object.entries(figures).map(([name, { cpu_ms_per_request: cpu }], index) => {
      const sum = cpu.server + cpu.database + cpu.generator
      const bar = (from: number, time: number, colour: string) =>
        html`<rect x="${(LEFT + from * unit).toFixed(1)}" y="${index * ROW + 12}" width="${(time * unit).toFixed(1)}" height="22" ${style(`fill:var(${colour});stroke:none`)}/>`
      return html`${label(name, `${sum.toFixed(2)} ms`, index)}${bar(0, cpu.server, '--server')}
${bar(cpu.server, cpu.database, '--verifier')}${bar(cpu.server + cpu.database, cpu.generator, '--network')}`
    }),
    sums.length * ROW,
  )
}

function logPlot(rows: readonly Row[], values: readonly number[], unit: string): Html {
  const [from, to] = [Math.min(...values) * 0.85, Math.max(...values) * 1.15]
  const x = (value: number) =>
    (LEFT + (Math.log(value / from) / Math.log(to / from)) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const bottom = rows.length * ROW
  const ticks = TICKS.filter(value => value > from && value < to).map(
    value => html`${line(`M${x(value)} 0V${bottom}`, 'stroke-opacity:.3')}
<text class="soft" x="${x(value)}" y="${bottom + 18}" text-anchor="middle">${value.toLocaleString('en')}${unit}</text>`,
  )
  const drawn = rows.map(
    ({ name, note, marks }, index) => html`${label(name, note, index)}${marks(x, index * ROW + ROW / 2)}`,
  )
  return svg(rows.map(({ name, note }) => `${name}: ${note}`).join('; '), [...ticks, ...drawn], bottom + 26)
}

function svg(about: string, parts: readonly Html[], height: number): Html {
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${about}">
${parts}</svg>`
}

function label(name: string, note: string, index: number): Html {
  const y = index * ROW + ROW / 2
  return html`<text x="0" y="${y - 3}">${name}</text><text class="soft" x="0" y="${y + 14}">${note}</text>`
}

function line(d: string, css: string): Html {
  return html`<path d="${d}" ${style(css)}/>`
}

function tick(x: string, y: number): Html {
  return line(`M${x} ${y - 11}V${y + 11}`, 'stroke:var(--text);stroke-width:3')
}

function circle(x: string, y: number, css: string): Html {
  return html`<circle cx="${x}" cy="${y}" r="5" ${style(css)}/>`
}

function style(css: string): Html {
  return new Html(`style="${css}"`)
}

function isHeld(median: number, bound: number | undefined): boolean {
  return bound === undefined || median >= bound
}
