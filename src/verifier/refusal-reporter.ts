import { checkIssuerUrl } from '../protocol/issuer-url.ts'
import {
  MAX_REFUSAL_REASONS,
  MAX_REFUSALS,
  OTHER_REASON,
  type RefusalReport,
  refusalReasonSchema,
} from '../protocol/refusal-counts.ts'
import { type ClientToken, clientToken, type ResourceClient } from './client-token.ts'
import { errorCodeOf } from './error-code-of.ts'
import { newId } from './new-id.ts'
import { onceAMinute } from './once-a-minute.ts'
import type { Refusal } from './refusal.ts'

export type RefusalReporterOptions = {
  readonly issuer: string
  readonly client: ResourceClient
  /** This API, where its client is that of several. */
  readonly resource?: string
  /** Seconds between two reports: 10 unless told. */
  readonly interval?: number
  /**
   * Called with what could not be reported and is given up; what it throws is ignored. A line on standard error, at most
   * one a minute, unless told.
   */
  readonly onDrop?: (drop: Drop) => void
  readonly fetch?: typeof fetch
  readonly now?: () => Date
}

export type Drop = {
  /** Refusals that nobody will hear of. */
  readonly n: number
  /** Of the server's answer, the last one; undefined where there was none. */
  readonly status: number | undefined
  /** The server's own word: `invalid_client` for a wrong key or secret, `invalid_scope` for a missing scope. */
  readonly error: string | undefined
}

export type RefusalReporter = {
  /** For the verifier's `onRefusal`: counts, and neither throws nor waits. */
  readonly onRefusal: (refusal: Pick<Refusal, 'reason'>) => void
  /** Reports what was counted so far; also where that fails it only resolves. */
  readonly flush: () => Promise<void>
}

type Batch = { readonly key: string; readonly body: RefusalReport; attempts: number }
/** What the server answered, and whether to the report itself or to the request for a token. */
type Delivery = Omit<Drop, 'n'> & { readonly isToken?: boolean }

const DEFAULT_INTERVAL = 10
const MAX_ATTEMPTS = 5
const TIMEOUT_MILLISECONDS = 5000

/**
 * Tells the server what this API refused, as counts by reason and nothing else (`POST /intent/refusals`), so that a burst
 * of expired or replayed tokens shows in its metrics and its trail. The client needs the scope `report:refusals` and must
 * be the one that the resource's record names. A report is tried five times under one Idempotency-Key, then dropped; at
 * once where the server refused it, or the client, and would do so again. Throws for an issuer of plain http.
 */
export function refusalReporter(options: RefusalReporterOptions): RefusalReporter {
  const { issuer, client, interval = DEFAULT_INTERVAL, now = () => new Date() } = options
  const { onDrop = sayDrops(now) } = options
  checkIssuerUrl(issuer)
  const fetchUrl = options.fetch ?? fetch
  const token = clientToken({ issuer, client, scope: 'report:refusals', fetch: fetchUrl, now })
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
    return { key: newId(), body: { counts: due, ...(resource !== undefined && { resource }) }, attempts: 0 }
  }

  /** Whether the batch is done with: recorded, or given up. */
  async function settle(sent: Batch): Promise<boolean> {
    sent.attempts += 1
    const answer = await deliver(issuer, token, fetchUrl, sent)
    if (answer.status === 401) token.forget()
    if (answer.status !== 200 && isWorthAnother(answer) && sent.attempts < MAX_ATTEMPTS) return false
    batch = undefined
    if (answer.status !== 200) drop(sent, answer)
    return true
  }

  function drop({ body }: Batch, { status, error }: Delivery): void {
    try {
      onDrop({ n: body.counts.reduce((sum, { n }) => sum + n, 0), status, error })
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
    const authorized = await token.headers('POST', url)
    if ('refused' in authorized) return { ...authorized.refused, isToken: true }
    const response = await fetchUrl(url, {
      method: 'POST',
      headers: { ...authorized.headers, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    return { status: response.status, error: await errorCodeOf(response) }
  } catch {
    return { status: undefined, error: undefined }
  }
}

/** Not where the server understood and refused: it would do so again. A report's 401 is of a token that ended. */
function isWorthAnother({ status, isToken = false }: Delivery): boolean {
  return status === undefined || status === 429 || status >= 500 || (status === 401 && !isToken)
}

function sayDrops(now: () => Date): (drop: Drop) => void {
  const isDue = onceAMinute(now)
  return ({ n, status, error }) => {
    if (!isDue('drop')) return
    const answer = status === undefined ? 'gave no answer' : `answered ${status}${error ? ` ${error}` : ''}`
    console.error(`${n} refusals could not be reported: the server ${answer}.`)
  }
}

function isWord(reason: string): boolean {
  return refusalReasonSchema.safeParse(reason).success
}
