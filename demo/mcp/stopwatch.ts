import { machineTime } from './clock.ts'
import { type Measured, type Refused, refusedSchema, type Span } from './messages.ts'
import { readServerTiming } from './server-timing.ts'

export type Taken = { readonly measured: readonly Measured[]; readonly refused?: Refused }

export type Stopwatch = {
  /** Begins to measure one thing; what it answers ends it. What never ends is not counted. */
  readonly begin: (label: string) => () => void
  /** Begins a part of what is being measured. */
  readonly part: (part: Span['part']) => () => void
  /** `fetch` that tells the server's time from an API's, and that of an API as far as it says itself. */
  readonly watched: (send: typeof fetch) => typeof fetch
  /** What was measured since the last time, and the last answer that was no yes. */
  readonly take: () => Taken
}

/** Measures what one agent does, one thing after the other, from inside its process. */
export function createStopwatch(issuer: string): Stopwatch {
  let measured: Measured[] = []
  let refused: Refused | undefined
  let current: Span[] = []

  function part(name: Span['part']): () => void {
    const spans = current
    const start = machineTime()
    return () => spans.push({ part: name, start, end: machineTime() })
  }

  return {
    begin(label) {
      const spans: Span[] = []
      current = spans
      const start = machineTime()
      return () => measured.push({ label, start, end: machineTime(), spans })
    },
    part,
    watched: send => async (input, init) => {
      const url = input instanceof Request ? input.url : String(input)
      const spans = current
      const answered = part(url.startsWith(issuer) ? 'server' : 'network')
      const response = await send(input, init)
      answered()
      spans.push(...readServerTiming(response.headers.get('server-timing')))
      if (!response.ok) refused = await refusalOf(response)
      return response
    },
    take() {
      const taken = { measured, ...(refused && { refused }) }
      measured = []
      refused = undefined
      return taken
    },
  }
}

async function refusalOf(response: Response): Promise<Refused> {
  const text = await response.clone().text()
  return refusedSchema.parse({ status: response.status, body: text === '' ? {} : JSON.parse(text) })
}
