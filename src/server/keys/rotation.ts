import { SIGNING_ALGS, type SigningAlg } from '../../protocol/resource.ts'
import { TOKEN_LIFETIME_HARD_LIMIT } from '../../protocol/time.ts'
import { PUBLISH_LEAD_DEFAULT } from '../../protocol/token-key.ts'
import type { KeyState } from '../store/schema.ts'

/*
 * When a token key is published, signs, and goes (reliability.md section 4). Pure: rows and an instant in.
 */

/** A key without its parts; `active_at` of a `next` key is the instant from which it signs. */
export type KeyStanding = {
  readonly kid: string
  readonly alg: SigningAlg
  readonly state: KeyState
  readonly active_at: Date | null
  readonly retiring_at: Date | null
}

/**
 * How often a node reads its keys. The shortest publish lead, 40 s, must cover it twice over and the 30 s for which a
 * resource server does not fetch the JWKS again.
 */
export const KEY_POLL_SECONDS = 5
/** A key is followed by the next one after 30 days. */
export const ROTATION_SECONDS = 2_592_000
/** `max-age` of the JWKS, what resource servers add (jose: 10 minutes), and a minute of clocks and stale views. */
const CACHES_SECONDS = 300 + 600 + 60
/** How long a key is published after its last signature: the longest token, and whoever holds an older JWKS. */
export const RETIRING_SECONDS = TOKEN_LIFETIME_HARD_LIMIT + CACHES_SECONDS
/** Keys in the JWKS at one time; a verifier reads at most 64 KB. */
export const MOST_PUBLISHED = 60

/**
 * The key that signs at an instant: the active one, or a `next` one whose instant has come since, whether or not its row
 * was switched. So every node changes keys at the same instant, and each has published both before.
 */
export function signingKey<K extends KeyStanding>(keys: readonly K[], alg: SigningAlg, now: Date): K | undefined {
  let latest: K | undefined
  for (const key of keys) {
    if (key.alg === alg && maySign(key, now) && (!latest || isLater(key, latest))) latest = key
  }
  return latest
}

export type DueChanges = {
  /** From `next` to `active`, with the keys of its algorithm that it replaces. */
  readonly activate: readonly { readonly kid: string; readonly alg: SigningAlg; readonly replaces: readonly string[] }[]
  /** To `retiring`: no node signs with them any more. */
  readonly supersede: readonly string[]
  /** To `retired`: out of the JWKS, the private part erased. */
  readonly retire: readonly { readonly kid: string; readonly alg: SigningAlg }[]
}

/** What the rows of these keys still have to follow. */
export function dueChanges(keys: readonly KeyStanding[], now: Date): DueChanges {
  const activate: { kid: string; alg: SigningAlg; replaces: string[] }[] = []
  const supersede: string[] = []
  for (const alg of SIGNING_ALGS) {
    const signing = signingKey(keys, alg, now)
    const replaces = keys.filter(key => key.alg === alg && key !== signing && maySign(key, now)).map(key => key.kid)
    supersede.push(...replaces)
    if (signing?.state === 'next') activate.push({ kid: signing.kid, alg, replaces })
  }
  const retire = keys.filter(key => key.state === 'retiring' && isPast(key.retiring_at, RETIRING_SECONDS, now))
  return { activate, supersede, retire: retire.map(({ kid, alg }) => ({ kid, alg })) }
}

export function isNothing({ activate, supersede, retire }: DueChanges): boolean {
  return activate.length + supersede.length + retire.length === 0
}

/** The algorithms that have no key to follow the signing one, and when it is to begin: one always waits, published. */
export function missingNext(
  keys: readonly KeyStanding[],
  now: Date,
): readonly { readonly alg: SigningAlg; readonly active_at: Date }[] {
  return SIGNING_ALGS.flatMap(alg => {
    const signing = signingKey(keys, alg, now)
    if (!signing || keys.some(key => key.alg === alg && key.state === 'next' && key !== signing)) return []
    const regular = secondsAfter(signing.active_at ?? now, ROTATION_SECONDS)
    const soonest = secondsAfter(now, PUBLISH_LEAD_DEFAULT)
    return [{ alg, active_at: regular > soonest ? regular : soonest }]
  })
}

/** The waiting key that signs at once when the active one is stolen: the one that would have been next. */
export function firstNext<K extends KeyStanding>(keys: readonly K[], alg: SigningAlg): K | undefined {
  const waiting = keys.filter(key => key.alg === alg && key.state === 'next')
  return waiting.reduce<K | undefined>((first, key) => (first && isLater(key, first) ? first : key), undefined)
}

/** When a key that is replaced at this instant leaves the JWKS. */
export function publishedUntil(retiring_at: Date): Date {
  return secondsAfter(retiring_at, RETIRING_SECONDS)
}

export function secondsAfter(instant: Date, seconds: number): Date {
  return new Date(instant.getTime() + seconds * 1000)
}

/** An active row signs whatever its time: another node, whose clock is ahead, may have made it so in an emergency. */
function maySign({ state, active_at }: KeyStanding, now: Date): boolean {
  return state === 'active' || (state === 'next' && active_at !== null && active_at <= now)
}

/** By the instant from which each signs; of two with one instant the same one everywhere. */
function isLater(a: KeyStanding, b: KeyStanding): boolean {
  const difference = (a.active_at?.getTime() ?? 0) - (b.active_at?.getTime() ?? 0)
  return difference > 0 || (difference === 0 && a.kid > b.kid)
}

function isPast(instant: Date | null, seconds: number, now: Date): boolean {
  return instant !== null && secondsAfter(instant, seconds) <= now
}
