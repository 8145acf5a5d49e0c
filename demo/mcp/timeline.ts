import { type Html, html } from '../html.ts'
import type { Span } from './messages.ts'
import type { MeasuredCall } from './play.ts'
import { whereTimeWent } from './where-time-went.ts'

/** From what encloses to what is enclosed: painted in this order. */
const PARTS: readonly { readonly part: Span['part']; readonly name: string }[] = [
  { part: 'shim', name: 'shim' },
  { part: 'server', name: 'Remit' },
  { part: 'network', name: 'network' },
  { part: 'verifier', name: 'verifier' },
  { part: 'tool', name: 'MCP server' },
]

/** A bar for each call, all on one scale, each part where it was and as long as it took. */
export function timeline(calls: readonly MeasuredCall[]): Html {
  const longest = Math.max(1, ...calls.map(({ start, end }) => end - start))
  return html`<p class="legend">${PARTS.map(({ part, name }) => html`<span class="swatch ${part}"></span>${name} `)}
<span class="swatch client"></span>the MCP client and the framework around the shim</p>
<div class="calls">${calls.map(call => row(call, longest))}</div>`
}

/** The middle one of all calls of tools after the first of each agent, which also connects. */
export function typicalCall(calls: readonly MeasuredCall[]): Html {
  const repeated = calls.filter((call, index) => calls[index - 1]?.label === call.label)
  const middle = (repeated.length > 0 ? repeated : calls)
    .toSorted((one, other) => one.end - one.start - (other.end - other.start))
    .at(Math.floor(repeated.length / 2))
  if (!middle) return html``
  const { total, shim, verifier, tool } = whereTimeWent(middle)
  return html`A call with a token at hand took ${ms(total)}: ${ms(shim)} in the shim, ${ms(verifier)} in the verifier, ${ms(tool)} in the MCP server itself.`
}

function row(call: MeasuredCall, longest: number): Html {
  const { agent_id, label, start, end, spans } = call
  const went = whereTimeWent(call)
  const at = (time: number) => `${((100 * (time - start)) / longest).toFixed(2)}%`
  const long = (span: { start: number; end: number }) => `${((100 * (span.end - span.start)) / longest).toFixed(2)}%`
  const painted = PARTS.flatMap(({ part }) => spans.filter(span => span.part === part))
  const told = PARTS.filter(({ part }) => went[part] > 0).map(
    ({ part, name }) => html`<span><span class="swatch ${part}"></span>${name} ${ms(went[part])}</span> `,
  )
  return html`<div><div>${agent_id} <code>${label}</code> <small>${ms(end - start)}</small></div>
<div><span class="bar"><span class="client" style="left:0;width:${long({ start, end })}"></span>${painted.map(
    span => html`<span class="${span.part}" style="left:${at(span.start)};width:${long(span)}"></span>`,
  )}</span><small>${told}</small></div></div>
`
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`
}
