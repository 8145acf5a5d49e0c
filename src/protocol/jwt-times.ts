import { OAuthError } from './errors.ts'
import type { JsonObject } from './json.ts'
import { CLOCK_SKEW } from './time.ts'

export type JwtTimes = { exp: number; iat?: number; nbf?: number }

export type TimeRules = {
  /** Epoch seconds. */
  now: number
  /** Epoch seconds: an `iat` before is refused; 0 unless told. */
  notBefore?: number
  /** Longest `exp` - `iat` in seconds; without `iat` the lifetime is counted from now. */
  maxLifetime?: number
  /** Seconds by which `iat` and `nbf` may lie ahead; CLOCK_SKEW unless told. */
  skew?: number
  /** Seconds for which `exp` may have passed; 0 unless told (the resource has TOKEN_CLOCK_SKEW). */
  expGrace?: number
}

/**
 * Judges `exp` (required), `iat` and `nbf` of one token (protocol.md section 3). Throws `invalid_request`; callers
 * answer with their own code and keep `reason`.
 */
export function readTimes(payload: JsonObject, rules: TimeRules): JwtTimes {
  const { now, notBefore = 0, maxLifetime, skew = CLOCK_SKEW, expGrace = 0 } = rules
  const exp = integerClaim(payload, 'exp')
  const iat = integerClaim(payload, 'iat')
  const nbf = integerClaim(payload, 'nbf')
  if (exp === undefined) throw refusal('exp_missing')
  if (exp + expGrace <= now) throw refusal('exp_passed')
  if (iat !== undefined && iat > now + skew) throw refusal('iat_future')
  if (iat !== undefined && iat < notBefore) throw refusal('iat_before_epoch')
  if (nbf !== undefined && nbf > now + skew) throw refusal('nbf_future')
  if (maxLifetime !== undefined && exp - (iat ?? now) > maxLifetime) throw refusal('lifetime_too_long')
  return { exp, ...(iat !== undefined && { iat }), ...(nbf !== undefined && { nbf }) }
}

/** The end of the year 9999: beyond it RFC 3339 writes no time, and far beyond there is no Date. */
const LAST_SECOND = 253_402_300_799

/** A NumericDate as a whole number of seconds, or undefined where absent. Throws `invalid_request`. */
export function integerClaim(payload: JsonObject, name: 'exp' | 'iat' | 'nbf'): number | undefined {
  const value = Object.hasOwn(payload, name) ? payload[name] : undefined
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > LAST_SECOND) {
    throw refusal('time_not_integer')
  }
  return value
}

function refusal(reason: string): OAuthError {
  return new OAuthError('invalid_request', 'The token is not valid at this time.', { reason })
}
