import type { Measured, Span } from './messages.ts'

/** Milliseconds of one call. The parts add up to the total; `client` is what is around them in the agent's process. */
export type WhereTimeWent = Readonly<Record<Span['part'] | 'client' | 'total', number>>

/** Spans lie in each other: what is within one is taken out of it. */
export function whereTimeWent({ start, end, spans }: Measured): WhereTimeWent {
  const sum = (part: Span['part']) =>
    spans.filter(span => span.part === part).reduce((all, span) => all + span.end - span.start, 0)
  const [server, verifier, tool] = [sum('server'), sum('verifier'), sum('tool')]
  const [total, inShim, onNetwork] = [end - start, sum('shim'), sum('network')]
  return {
    ...{ total, server, verifier, tool },
    client: total - inShim,
    shim: inShim - server - onNetwork,
    network: onNetwork - verifier - tool,
  }
}
