import type { Logger } from 'pino'
import { OAuthError } from '../../protocol/errors.ts'
import { isJsonObject, type JsonValue } from '../../protocol/json.ts'
import { importPublicJwk, type PublicKey, parseJwks } from '../../protocol/jwk.ts'
import { JWKS_COOLDOWN } from '../../protocol/time.ts'
import type { Config } from '../config.ts'
import { type Network, SYSTEM_NETWORK } from './connect.ts'
import { FetchRefused } from './fetch-refused.ts'
import { guardedFetch } from './guarded-fetch.ts'

export type RemoteKey = PublicKey & { kid?: string }
type Fetching = { readonly config: Pick<Config, 'allowPrivateFetch'> }

/**
 * The keys that clients, and trusted issuers, publish at URLs of their own, kept by client and URL in this process. A
 * trusted issuer stands there as `issuer:NAME`, which is no client_id.
 */
export type RemoteKeys = {
  /** The client's keys now; undefined where none can be had. `kid` is one that is looked for. */
  readonly find: (client_id: string, jwks_uri: string, kid?: string) => Promise<readonly RemoteKey[] | undefined>
  /** The client's keys as they are at hand; never fetches, so that a transaction may ask. */
  readonly kept: (client_id: string, jwks_uri: string) => readonly RemoteKey[] | undefined
  /** The keys behind a URL, past the cache. Throws FetchRefused. */
  readonly fetch: (jwks_uri: string) => Promise<readonly RemoteKey[]>
}

type Entry = {
  keys?: readonly RemoteKey[]
  fetchedAt: number
  lastAttempt: number
  pending?: Promise<void> | undefined
}

/** Keys also leave a set: it is asked for again after this many seconds even when every `kid` is known. */
const REFRESH_SECONDS = 300
/** How long the last good set serves through an outage, in seconds: so long may a key live on that was taken away. */
const OUTAGE_SECONDS = 3_600
const MAX_ENTRIES = 1_000
/** Entries of a set before those that we cannot use are left out. */
const MAX_LISTED = 64

/**
 * Keys fetched by `jwks_uri`: one fetch of a set at a time, none within 30 s of the last, every 5 minutes and for a
 * `kid` that is not known; the last good set serves at most an hour through an outage. At most 1,000 sets are kept.
 */
export function createRemoteKeys(
  ctx: Fetching & { readonly log: Logger; readonly now: () => Date },
  network: Network = SYSTEM_NETWORK,
): RemoteKeys {
  const entries = new Map<string, Entry>()
  const seconds = () => ctx.now().getTime() / 1000
  const fetch = (jwks_uri: string) => fetchKeys(ctx, jwks_uri, network)

  const serving = (entry: Entry) => (seconds() - entry.fetchedAt <= OUTAGE_SECONDS ? entry.keys : undefined)

  async function refresh(entry: Entry, client_id: string, jwks_uri: string): Promise<void> {
    entry.lastAttempt = seconds()
    try {
      entry.keys = await fetch(jwks_uri)
      entry.fetchedAt = seconds()
    } catch (error) {
      if (!(error instanceof FetchRefused)) throw error
      ctx.log.warn({ keys_of: client_id, reason: error.reason }, 'published keys could not be fetched')
    } finally {
      entry.pending = undefined
    }
  }

  return {
    fetch,
    kept: (client_id, jwks_uri) => serving(touch(entries, `${client_id} ${jwks_uri}`)),
    async find(client_id, jwks_uri, kid) {
      const entry = touch(entries, `${client_id} ${jwks_uri}`)
      const isKnown = entry.keys?.some(key => kid === undefined || key.kid === kid || key.jkt === kid) ?? false
      const isDue = !isKnown || seconds() - entry.fetchedAt >= REFRESH_SECONDS
      // Longer than a fetch may take: so there is never a second one under way.
      if (isDue && seconds() - entry.lastAttempt >= JWKS_COOLDOWN) {
        entry.pending = refresh(entry, client_id, jwks_uri)
      }
      if (isDue) await entry.pending
      return serving(entry)
    },
  }
}

/** The entry of a key, now the youngest; the one that was longest unused makes room. */
function touch(entries: Map<string, Entry>, key: string): Entry {
  const entry = entries.get(key) ?? { fetchedAt: Number.NEGATIVE_INFINITY, lastAttempt: Number.NEGATIVE_INFINITY }
  entries.delete(key)
  entries.set(key, entry)
  for (const oldest of entries.keys()) {
    if (entries.size <= MAX_ENTRIES) break
    entries.delete(oldest)
  }
  return entry
}

async function fetchKeys(ctx: Fetching, jwks_uri: string, network: Network): Promise<readonly RemoteKey[]> {
  const set = await guardedFetch(ctx, jwks_uri, network)
  try {
    return await usableKeys(set)
  } catch (error) {
    if (error instanceof OAuthError) throw new FetchRefused('fetch_malformed', error)
    throw error
  }
}

/** A key of a kind or for a use that is not ours is somebody else's business (RFC 7517 section 5), a private one never. */
async function usableKeys(set: JsonValue): Promise<readonly RemoteKey[]> {
  const listed = isJsonObject(set) && Array.isArray(set.keys) ? set.keys.slice(0, MAX_LISTED) : []
  const usable: JsonValue[] = []
  for (const entry of listed) if (await isUsable(entry)) usable.push(entry)
  return await parseJwks({ keys: usable })
}

async function isUsable(entry: JsonValue): Promise<boolean> {
  try {
    await importPublicJwk(entry)
    return true
  } catch (error) {
    if (error instanceof OAuthError && error.reason !== 'private_key_sent') return false
    throw error
  }
}
