/** A token as it was minted, and what of it the shim needs; times in epoch seconds. */
export type IntentToken = {
  readonly access_token: string
  readonly jti: string
  readonly scope: readonly string[]
  readonly iat: number
  readonly exp: number
  readonly execution_id?: string
}

export type TokenCache = {
  /** The token of this name, minted by `mint` unless there is a good one; one mint at a time for each name. */
  readonly get: (name: string, mint: () => Promise<IntentToken>) => Promise<IntentToken>
  /** Forgets a token that was refused. */
  readonly drop: (access_token: string) => void
}

type Entry = {
  token?: IntentToken
  minting?: Promise<IntentToken>
  retryAt: number
  /** A token that an API refuses is replaced once in its life: an API that refuses all costs no further mints. */
  keepUntil: number
}

/** A token is not used in its last seconds: the call must arrive, and clocks differ. */
const MARGIN_SECONDS = 10
/** The part of its life after which a token is renewed while it is still used. */
const RENEWAL_PART = 0.75
const RETRY_SECONDS = 5
const MAX_ENTRIES = 256

/** Tokens of one agent; `seconds` is the clock. What is wanted least recently is forgotten first. */
export function createTokenCache(seconds: () => number): TokenCache {
  const entries = new Map<string, Entry>()

  function start(name: string, entry: Entry, mint: () => Promise<IntentToken>): Promise<IntentToken> {
    const minting = mint()
      .then(token => {
        entry.token = token
        return token
      })
      .catch((error: unknown) => {
        entry.retryAt = seconds() + RETRY_SECONDS
        if (entry.token === undefined) entries.delete(name)
        throw error
      })
      .finally(() => {
        delete entry.minting
      })
    entry.minting = minting
    return minting
  }

  return {
    async get(name, mint) {
      const entry = entries.get(name) ?? { retryAt: 0, keepUntil: 0 }
      entries.delete(name)
      entries.set(name, entry)
      const [oldest] = entries.keys()
      if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest)
      const { token } = entry
      const now = seconds()
      if (token === undefined || now >= token.exp - MARGIN_SECONDS) {
        return await (entry.minting ?? start(name, entry, mint))
      }
      const isDue = now >= token.iat + (token.exp - token.iat) * RENEWAL_PART
      // Renewed behind the call's back: where that fails, the token still counts, and the next call tries again.
      if (isDue && entry.minting === undefined && now >= entry.retryAt) start(name, entry, mint).catch(() => undefined)
      return token
    },
    drop(access_token) {
      for (const entry of entries.values()) {
        if (entry.token?.access_token !== access_token || seconds() < entry.keepUntil) continue
        entry.keepUntil = entry.token.exp
        delete entry.token
      }
    },
  }
}
