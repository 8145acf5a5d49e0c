/** The windows of protocol.md section 3 and the lifetimes of sections 7 and 9, all in seconds. */
export const CLOCK_SKEW = 10
export const CLIENT_ASSERTION_MAX_LIFETIME = 300
export const DPOP_PROOF_WINDOW = 60
export const DELEGATION_FIRST_PRESENTATION = 120
export const DELEGATION_MAX_LIFETIME = 3600
export const KEY_STATEMENT_MAX_LIFETIME = 86_400
/** A key statement that adds a registered key; its `jti` is claimed (section 4). */
export const KEY_STATEMENT_REGISTRATION_LIFETIME = 300
export const NONCE_BUCKET = 60
export const TOKEN_LIFETIME_DEFAULT = 300
export const TOKEN_LIFETIME_HARD_LIMIT = 900
export const TOKEN_CLOCK_SKEW = 5
export const INTROSPECTION_JWT_LIFETIME = 60
export const EXECUTION_LIFETIME_DEFAULT = 3600
export const EXECUTION_LIFETIME_MAX = 86_400
/** Added to the hard limit: an entry outlives every token that it matches (section 9). */
export const REVOCATION_MARGIN = 60
export const REVOCATION_MAX_STALE = 300
/** A revoked `kid` stays listed this long after the key left the JWKS. */
export const REVOKED_KID_RETENTION = 86_400
export const KEY_PUBLISH_LEAD = 86_400
export const KEY_PUBLISH_LEAD_MIN = 40
export const JWKS_COOLDOWN = 30
export const JWKS_OUTAGE_MAX_AGE = 86_400
export const IDEMPOTENCY_RETENTION = 86_400

/** Whole seconds since 1970, the NumericDate of RFC 7519 section 2. */
export function epochSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
