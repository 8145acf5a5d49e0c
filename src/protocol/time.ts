/** The windows of protocol.md section 3 and the lifetimes of sections 7 and 9, all in seconds. */
export const CLOCK_SKEW = 10
export const CLIENT_ASSERTION_MAX_LIFETIME = 300
export const DPOP_PROOF_WINDOW = 60
/** Longest life of a key statement: used once at registration, again and again in token requests. */
export const KEY_STATEMENT_ONCE_MAX_LIFETIME = 300
export const KEY_STATEMENT_MAX_LIFETIME = 86_400
export const TOKEN_LIFETIME_DEFAULT = 300
export const TOKEN_LIFETIME_HARD_LIMIT = 900
export const TOKEN_CLOCK_SKEW = 5
/** An execution (section 6), and the longest. */
export const EXECUTION_LIFETIME_DEFAULT = 3_600
export const EXECUTION_LIFETIME_MAX = 86_400
/** A delegation: how long after `iat` it may first be presented, and its life where nothing above it has an end. */
export const DELEGATION_FIRST_WINDOW = 120
export const DELEGATION_LIFETIME_DEFAULT = 3_600
/** Added to the hard limit: an entry outlives every token that it matches (section 9). */
export const REVOCATION_MARGIN = 60
export const JWKS_COOLDOWN = 30
export const JWKS_OUTAGE_MAX_AGE = 86_400
/** Added to the instant of a restore: what was dated forward and used before it lies within (`not_before`). */
export const EPOCH_MARGIN = CLOCK_SKEW + 1
export const IDEMPOTENCY_RETENTION = 86_400
/** Longest that a policy or a request lets an older version mint beside a new one: a week. */
export const DRAIN_SECONDS_MAX = 604_800

/** Whole seconds since 1970, the NumericDate of RFC 7519 section 2. */
export function epochSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
