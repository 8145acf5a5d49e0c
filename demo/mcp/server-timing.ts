/** A time that the gateway took for a call, by the clock of the machine. */
export type ServerSpan = { readonly part: 'verifier' | 'tool'; readonly start: number; readonly end: number }

/** The value of a Server-Timing header; `at` is ours, to put the spans where they were. */
export function writeServerTiming(spans: readonly ServerSpan[]): string {
  return spans
    .map(({ part, start, end }) => `${part};dur=${(end - start).toFixed(3)};at=${start.toFixed(3)}`)
    .join(', ')
}

/** The spans of such a header, and none of a header of somebody else. */
export function readServerTiming(header: string | null): readonly ServerSpan[] {
  return [...(header ?? '').matchAll(/\b(verifier|tool);dur=([0-9.]+);at=([0-9.]+)/g)].map(([, part, dur, at]) => {
    const start = Number(at)
    return { part: part === 'tool' ? 'tool' : 'verifier', start, end: start + Number(dur) }
  })
}
