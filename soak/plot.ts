import { Html, html } from '../demo/html.ts'
import type { Point } from './slope.ts'

export type Line = { readonly name: string; readonly colour: string; readonly points: readonly Point[] }
type Plot = { readonly about: string; readonly unit: string; readonly lines: readonly Line[]; readonly warm_up: number }

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [560, 240, 62, 28, 10, 16]
const TICKS = 4

/** Lines over the minutes of a run, from zero; the warm-up is grey. */
export function timePlot({ about, unit, lines, warm_up }: Plot): Html {
  const all = lines.flatMap(({ points }) => points)
  const last = Math.max(60, ...all.map(({ at }) => at))
  const step = niceStep(Math.max(...all.map(({ value }) => value), Number.MIN_VALUE))
  const top = step * TICKS
  const x = (at: number) => (LEFT + (at / last) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const y = (value: number) => (HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP)).toFixed(1)
  const levels = Array.from({ length: TICKS + 1 }, (_, index) => index * step)
  const pace = niceStep(last / 60)
  const minutes = Array.from({ length: Math.floor(last / 60 / pace) + 1 }, (_, index) => index * pace)
  return html`<figure><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${about}">
<rect x="${LEFT}" y="${TOP}" width="${(Number(x(warm_up)) - LEFT).toFixed(1)}" height="${HEIGHT - BOTTOM - TOP}" ${style('fill:var(--client);stroke:none')}/>
${levels.map(
  value => html`<path d="M${LEFT} ${y(value)}H${WIDTH - RIGHT}" ${style('stroke:var(--line);stroke-width:1')}/>
<text class="soft" x="${LEFT - 6}" y="${(Number(y(value)) + 4).toFixed(1)}" text-anchor="end">${shown(value)}</text>`,
)}
${minutes.map(
  minute =>
    html`<text class="soft" x="${x(minute * 60)}" y="${HEIGHT - 8}" text-anchor="middle">${shown(minute)}</text>`,
)}
${lines.map(
  ({ points, colour }) =>
    html`<path d="${points.map(({ at, value }, index) => `${index === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`).join('')}" ${style(`fill:none;stroke:var(${colour});stroke-width:1.8`)}/>`,
)}
</svg><figcaption>${about} (${unit}, over minutes)${lines.map(
    ({ name, colour }) =>
      html` <span class="key"><span class="line" ${style(`background:var(${colour})`)}></span>${name}</span>`,
  )}</figcaption></figure>`
}

/** The smallest of 1, 2 and 5 times a power of ten of which four reach the top. */
function niceStep(most: number): number {
  const least = most / TICKS
  const power = 10 ** Math.floor(Math.log10(least))
  return [1, 2, 5, 10].map(times => times * power).find(step => step >= least) ?? least
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

function style(css: string): Html {
  return new Html(`style="${css}"`)
}
