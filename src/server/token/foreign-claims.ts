import { type Access, intersect } from '../../protocol/access.ts'
import type { CompactJws } from '../../protocol/compact-jws.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { isJsonObject, type JsonObject } from '../../protocol/json.ts'
import { isSoleAudience } from '../../protocol/jwt-claims.ts'
import { readTimes } from '../../protocol/jwt-times.ts'
import { CLOCK_SKEW } from '../../protocol/time.ts'
import { isAcceptedTyp } from '../../protocol/verify-jws.ts'
import type { TrustedIssuer } from '../store/trusted-issuers.ts'

/* What a token of a trusted issuer says, against its record (protocol.md section 6). Pure; the signature is not judged. */

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'

/** Every refusal of a subject token has this one text. */
export function subjectTokenRefused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', 'The subject token is not one that is accepted here.', { reason, cause })
}

/** RFC 8693 section 3: what the token is said to be is what it is. Throws `invalid_request`. */
export function checkTokenType(type: string, { typ }: CompactJws['header']): void {
  switch (type) {
    case `${TOKEN_TYPE}jwt`:
      return
    case `${TOKEN_TYPE}id_token`:
      if (isAcceptedTyp(typ, { typ: ['JWT'], typMayBeAbsent: true })) return
      break
    case `${TOKEN_TYPE}access_token`:
      if (isAcceptedTyp(typ, { typ: ['at+jwt'] })) return
      break
  }
  throw subjectTokenRefused('subject_token_type')
}

/** Whether a record is the one that speaks of this token: audience, claims that must be equal, and `acr`. */
export function isFor({ audience, claims, acr_values }: TrustedIssuer, payload: JsonObject): boolean {
  const { acr } = payload
  return (
    isSoleAudience(payload.aud, audience) &&
    Object.entries(claims).every(([name, value]) => claimOf(payload, name) === value) &&
    (acr_values.length === 0 || (typeof acr === 'string' && acr_values.includes(acr)))
  )
}

/**
 * `exp`, and `iat` within the record's `max_age`; a token that tells of an event is none of a person (RFC 8417).
 * @returns both in epoch seconds. Throws `invalid_request`.
 */
export function checkTimes(
  { max_age }: TrustedIssuer,
  payload: JsonObject,
  { now, notBefore }: { readonly now: number; readonly notBefore: number },
): { exp: number; iat: number } {
  if (Object.hasOwn(payload, 'events')) throw subjectTokenRefused('subject_token_event')
  const { exp, iat } = readTimes(payload, { now, notBefore, skew: CLOCK_SKEW })
  if (iat === undefined) throw subjectTokenRefused('iat_missing')
  if (iat < now - max_age) throw subjectTokenRefused('subject_token_old')
  return { exp, iat }
}

/** A bound token counts only with a proof by its key; of `cnf` only `jkt` is understood (RFC 9449 section 6.1). */
export function checkConfirmation(payload: JsonObject, jkt: string | undefined): void {
  const { cnf } = payload
  if (cnf === undefined) return
  const [name, ...others] = isJsonObject(cnf) ? Object.keys(cnf) : []
  if (!isJsonObject(cnf) || name !== 'jkt' || others.length > 0 || jkt === undefined || cnf.jkt !== jkt) {
    throw subjectTokenRefused('subject_token_unproven')
  }
}

/** What the record and the claims give together, each pair once; null: it is a user's, and nothing limits it. */
export function accessOf({ purpose, access, access_by_claim }: TrustedIssuer, payload: JsonObject): Access | null {
  if (purpose === 'user' && access === null && access_by_claim.length === 0) return null
  const added = access_by_claim.filter(({ claim, value }) => {
    const said = claimOf(payload, claim)
    return said === value || (Array.isArray(said) && said.includes(value))
  })
  const all = [...(access ?? []), ...added.flatMap(entry => entry.access)]
  return intersect(all, all)
}

function claimOf(payload: JsonObject, name: string) {
  return Object.hasOwn(payload, name) ? payload[name] : undefined
}
