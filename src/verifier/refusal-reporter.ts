import { randomUUID } from 'node:crypto'
import {
  MAX_REFUSAL_REASONS,
  MAX_REFUSALS,
  OTHER_REASON,
  type RefusalReport,
  refusalReasonSchema,
} from '../protocol/refusal-counts.ts'
import { type ClientToken, clientToken, type ResourceClient } from './client-token.ts'
import type { Refusal } from './refusal.ts'

export type RefusalReporterOptions = {
  readonly issuer: string
  readonly client: ResourceClient
  /** This API, where its client is that of several. */
  readonly resource?: string
  /** Seconds between two reports: 10 unless told. */
  readonly interval?: number
  /** Called with what could not be reported and is given up; what it throws is ignored. */
  readonly onDrop?: (drop: { readonly n: number; readonly status: number | undefined }) => void
  readonly fetch?: typeof fetch
  readonly now?: () => Date
  readonly randomId?: () => string
}

export type RefusalReporter = {
  /** For the verifier's `onRefusal`: counts, and neither throws nor waits. */
  readonly onRefusal: (refusal: Pick<Refusal, 'reason'>) => void
  /** Reports what was counted so far; also where that fails it only resolves. */
  readonly flush: () => Promise<void>
}

type Batch = { readonly key: string; readonly body: RefusalReport; attempts: number }
/** The status of the answer; undefined where there was none. */
type Delivery = { readonly status: number | undefined }

const DEFAULT_INTERVAL = 10
const MAX_ATTEMPTS = 5
const TIMEOUT_MILLISECONDS = 5000

/**
 * Tells the server what this API refused, as counts by reason and nothing else (`POST /intent/refusals`), so that a burst
 * of expired or replayed tokens shows in its metrics and its trail. The client needs the scope `report:refusals` and must
 * be the one that the resource's record names. A report is tried five times under one Idempotency-Key, then dropped.
 */
export function refusalReporter(options: RefusalReporterOptions): RefusalReporter {
  const { issuer, client, interval = DEFAULT_INTERVAL, now = () => new Date(), randomId = randomUUID } = options
  const fetchUrl = options.fetch ?? fetch
  const token = clientToken({ issuer, client, scope: 'report:refusals', fetch: fetchUrl, now, randomId })
  const counts = new Map<string, number>()
  let batch: Batch | undefined
  let flushing: Promise<void> | undefined
  let isArmed = false

  function onRefusal({ reason }: Pick<Refusal, 'reason'>): void {
    const isKnown = counts.has(reason) || (counts.size < MAX_REFUSAL_REASONS - 1 && isWord(reason))
    const name = isKnown ? reason : OTHER_REASON
    counts.set(name, (counts.get(name) ?? 0) + 1)
    arm()
  }

  /** The timer keeps no process alive. */
  function arm(): void {
    if (isArmed) return
    isArmed = true
    setTimeout(() => {
      isArmed = false
      void flush()
    }, interval * 1000).unref()
  }

  async function flush(): Promise<void> {
    flushing ??= send().finally(() => {
      flushing = undefined
      if (batch || counts.size > 0) arm()
    })
    await flushing
  }

  async function send(): Promise<void> {
    if (batch && !(await settle(batch))) return
    batch = cut()
    if (batch) await settle(batch)
  }

  function cut(): Batch | undefined {
    const due = [...counts].map(([reason, n]) => ({ reason, n: Math.min(n, MAX_REFUSALS) }))
    if (due.length === 0) return undefined
    for (const { reason, n } of due) {
      const left = (counts.get(reason) ?? 0) - n
      if (left > 0) counts.set(reason, left)
      else counts.delete(reason)
    }
    const { resource } = options
    return { key: randomId(), body: { counts: due, ...(resource !== undefined && { resource }) }, attempts: 0 }
  }

  /** Whether the batch is done with: recorded, or given up. */
  async function settle(sent: Batch): Promise<boolean> {
    sent.attempts += 1
    const { status } = await deliver(issuer, token, fetchUrl, sent)
    if (status === 401) token.forget()
    if (status !== 200 && isWorthAnother(status) && sent.attempts < MAX_ATTEMPTS) return false
    batch = undefined
    if (status !== 200) drop(sent, status)
    return true
  }

  function drop({ body }: Batch, status: number | undefined): void {
    try {
      options.onDrop?.({ n: body.counts.reduce((sum, { n }) => sum + n, 0), status })
    } catch {
      // A listener of the API's own must not end the API.
    }
  }

  return { onRefusal, flush }
}

async function deliver(
  issuer: string,
  token: ClientToken,
  fetchUrl: typeof fetch,
  { key, body }: Batch,
): Promise<Delivery> {
  const url = `${issuer}/intent/refusals`
  try {
    const response = await fetchUrl(url, {
      method: 'POST',
      headers: { ...(await token.headers('POST', url)), 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    await response.body?.cancel()
    return { status: response.status }
  } catch {
    return { status: undefined }
  }
}

/** Not where the server understood and refused: the same report would be refused again. */
function isWorthAnother(status: number | undefined): boolean {
  return status === undefined || status === 401 || status === 429 || status >= 500
}

function isWord(reason: string): boolean {
  return refusalReasonSchema.safeParse(reason).success
}
