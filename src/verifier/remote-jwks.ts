import { z } from 'zod'
import { readBounded } from '../protocol/bounded-body.ts'
import { OAuthError } from '../protocol/errors.ts'
import { isJsonObject, parseStrictJson } from '../protocol/json.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { SIGNING_ALGS } from '../protocol/resource.ts'
import { JWKS_COOLDOWN, JWKS_OUTAGE_MAX_AGE } from '../protocol/time.ts'
import type { KeySource } from './access-token.ts'

export type RemoteJwksOptions = {
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  readonly now?: () => Date
  /** An empty set is an answer: an agent may have no key, an issuer may not. */
  readonly mayBeEmpty?: boolean
}

type KeySet = { readonly keys: readonly object[]; readonly fetchedAt: number }

/** A set is asked for again after this many seconds even when every `kid` is known: keys also leave it. */
const REFRESH_SECONDS = 240
/** From this age on a call waits a moment for the newer set, so that a verifier that slept does not judge by the old. */
const OLD_SECONDS = 300
const PATIENCE_MILLISECONDS = 250
const TIMEOUT_MILLISECONDS = 2500
const MAX_BYTES = 65_536
const keySchema = z.looseObject({ kid: z.string().min(1).max(128), alg: z.enum(SIGNING_ALGS) })

/**
 * The key set behind a URL: one fetch at a time, none within 30 s of the last, and the last good set kept through an
 * outage for at most 24 h, then replaced whole by the first good answer (protocol.md section 8). A call whose key is
 * known never waits for a fetch that hangs. The source throws `temporarily_unavailable` when it has no set, with what the
 * last fetch failed of as its cause.
 */
export function remoteJwks(url: string, options: RemoteJwksOptions = {}): KeySource {
  const fetchUrl = options.fetch ?? fetch
  const seconds = () => Math.floor((options.now?.() ?? new Date()).getTime() / 1000)
  let current: KeySet | undefined
  let lastAttempt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let pending: Promise<void> | undefined
  let patience: Promise<void> | undefined

  async function load(): Promise<void> {
    try {
      current = { keys: await fetchKeys(fetchUrl, url, options.mayBeEmpty ?? false), fetchedAt: seconds() }
      failure = undefined
    } catch (cause) {
      // The last good set stands; without one the caller is told below.
      failure = cause
    } finally {
      pending = undefined
    }
  }

  function refresh(): void {
    lastAttempt = seconds()
    pending = load()
    patience = atMost(PATIENCE_MILLISECONDS, pending)
  }

  return async kid => {
    const now = seconds()
    const age = current ? secondsBetween(current.fetchedAt, now) : Number.POSITIVE_INFINITY
    const isKnown = current?.keys.some(key => 'kid' in key && key.kid === kid) ?? false
    const isDue = !isKnown || age >= REFRESH_SECONDS
    if (pending === undefined && isDue && secondsBetween(lastAttempt, now) >= JWKS_COOLDOWN) refresh()
    if (!isKnown || age > JWKS_OUTAGE_MAX_AGE) await pending
    else if (age >= OLD_SECONDS) await patience
    if (current && secondsBetween(current.fetchedAt, seconds()) <= JWKS_OUTAGE_MAX_AGE) return current.keys
    throw new OAuthError('temporarily_unavailable', 'The keys of the issuer could not be fetched.', {
      reason: 'jwks_unavailable',
      status: 503,
      retry_after: Math.min(JWKS_COOLDOWN, Math.max(1, lastAttempt + JWKS_COOLDOWN - seconds())),
      cause: failure,
    })
  }
}

/** After a clock was set back nobody can say how long it is: then it is long, or what was kept would be kept for ever. */
function secondsBetween(then: number, now: number): number {
  return now >= then ? now - then : Math.max(OLD_SECONDS, then - now)
}

async function atMost(milliseconds: number, work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, milliseconds)
  await Promise.race([promise, work])
  clearTimeout(timer)
}

/** Ends in time also where `fetchUrl` does not. */
async function fetchKeys(
  fetchUrl: NonNullable<RemoteJwksOptions['fetch']>,
  url: string,
  mayBeEmpty: boolean,
): Promise<readonly object[]> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('The key set took too long.')), TIMEOUT_MILLISECONDS)
  try {
    return await readKeys(await Promise.race([fetchBytes(fetchUrl, url), tooLate]), mayBeEmpty)
  } finally {
    clearTimeout(timer)
  }
}

async function fetchBytes(fetchUrl: NonNullable<RemoteJwksOptions['fetch']>, url: string): Promise<Uint8Array> {
  const response = await fetchUrl(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
  })
  if (!response.ok) throw new Error('The key set was not served.')
  return await readBounded(response, MAX_BYTES)
}

async function readKeys(bytes: Uint8Array, mayBeEmpty: boolean): Promise<readonly object[]> {
  const set = parseStrictJson(bytes)
  if (!isJsonObject(set) || !Array.isArray(set.keys)) throw new Error('The answer is no key set.')
  const keys: object[] = []
  for (const entry of set.keys) {
    const listed = keySchema.safeParse(entry)
    // A key of a kind that we do not know is somebody else's business (RFC 7517 section 5).
    if (!listed.success) continue
    const { jwk } = await importPublicJwk(entry)
    keys.push({ ...jwk, kid: listed.data.kid, alg: listed.data.alg })
  }
  if (keys.length === 0 && !(mayBeEmpty && set.keys.length === 0)) throw new Error('The key set has no usable key.')
  return keys
}
