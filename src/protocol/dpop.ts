import { isCanonicalBase64url, parseCompactJws } from './compact-jws.ts'
import { equalConstantTime } from './digest.ts'
import { OAuthError } from './errors.ts'
import { normaliseHtu } from './htu.ts'

import type { JsonObject, JsonValue } from './json.ts'
import type { PublicJwk } from './jwk.ts'
import { integerClaim } from './jwt-times.ts'
import { importProofKey, type ProofKeys } from './proof-keys.ts'
import { splitScope } from './scope.ts'
import { CLOCK_SKEW, DPOP_PROOF_WINDOW } from './time.ts'
import { verifyParsedJws } from './verify-jws.ts'

export { normaliseHtu } from './htu.ts'

export const DPOP_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const

export type ExpectedProof = {
  /** Method and URL of the request; the URL from configuration, never from a Host header. */
  htm: string
  htu: string
  /** Epoch seconds. */
  now: number
  /** Epoch seconds: a proof signed before is refused; 0 unless told. */
  notBefore?: number
  /** base64url SHA-256 of the access token, where one is sent along. */
  ath?: string
  algs?: readonly string[]
  /** How the key of the proof is read: anew each time unless told. */
  keys?: ProofKeys
}

export type DpopProof = {
  jti: string
  jkt: string
  jwk: PublicJwk
  iat: number
  /** Not judged here. */
  nonce?: string
  /** Call binding (protocol.md section 8): base64url SHA-256 of the body; scope of this call. Not judged here. */
  bd?: string
  scope?: string
  /** The last second in which the proof could be taken again, in epoch seconds. */
  expires_at: number
}

const PRINTABLE = /^[\x20-\x7e]{1,256}$/
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/

/**
 * Checks one DPoP proof (RFC 9449 section 4.3) but for replay, nonce and the key it should be: those need state.
 * Throws `invalid_dpop_proof`.
 */
export async function verifyDpopProof(proof: string, expected: ExpectedProof): Promise<DpopProof> {
  try {
    return await verify(proof, expected)
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code === 'invalid_dpop_proof') throw cause
    throw refusal(cause.reason, cause)
  }
}

async function verify(proof: string, expected: ExpectedProof): Promise<DpopProof> {
  const jws = parseCompactJws(proof)
  const { alg } = jws.header
  if (!(expected.algs ?? DPOP_ALGS).includes(alg)) throw refusal('dpop_alg')
  const { jwk, jkt, algs, key } = await (expected.keys ?? importProofKey)(jws)
  if (!algs.includes(alg)) throw refusal('dpop_alg')
  await verifyParsedJws(jws, key, { alg, typ: ['dpop+jwt'], allowEmbeddedJwk: true })
  const { payload } = jws
  const { jti, htm, htu, ath, nonce, bd, scope } = payload
  if (typeof jti !== 'string' || !PRINTABLE.test(jti)) throw refusal('dpop_jti')
  if (htm !== expected.htm) throw refusal('dpop_htm')
  if (!isSameUri(htu, expected.htu)) throw refusal('dpop_htu')
  if (expected.ath !== undefined && !(typeof ath === 'string' && equalConstantTime(ath, expected.ath))) {
    throw refusal('dpop_ath')
  }
  const iat = readIat(payload, expected)
  return {
    jti,
    jkt,
    jwk,
    iat,
    ...optional('nonce', nonce, text => NONCE.test(text)),
    ...optional('bd', bd, text => text.length === 43 && isCanonicalBase64url(text)),
    ...optional('scope', scope, text => splitScope(text) !== undefined),
    expires_at: iat + DPOP_PROOF_WINDOW,
  }
}

function isSameUri(htu: JsonValue | undefined, expected: string): boolean {
  const sent = typeof htu === 'string' ? normaliseHtu(htu) : undefined
  return sent !== undefined && sent === normaliseHtu(expected)
}

/** now - 60 <= iat <= now + 10, and a sent `exp` or `nbf` is kept (protocol.md section 3). */
function readIat(payload: JsonObject, { now, notBefore = 0 }: Pick<ExpectedProof, 'now' | 'notBefore'>): number {
  const iat = integerClaim(payload, 'iat')
  const exp = integerClaim(payload, 'exp')
  const nbf = integerClaim(payload, 'nbf')
  if (iat === undefined) throw refusal('dpop_iat')
  if (iat < now - DPOP_PROOF_WINDOW || iat > now + CLOCK_SKEW) throw refusal('dpop_iat')
  if (iat < notBefore) throw refusal('iat_before_epoch')
  if (exp !== undefined && exp <= now) throw refusal('dpop_exp')
  if (nbf !== undefined && nbf > now + CLOCK_SKEW) throw refusal('dpop_nbf')
  return iat
}

function optional<Name extends 'nonce' | 'bd' | 'scope'>(
  name: Name,
  value: JsonValue | undefined,
  isValid: (text: string) => boolean,
): { [member in Name]?: string } {
  if (value === undefined) return {}
  if (typeof value !== 'string' || !isValid(value)) throw refusal(`dpop_${name}`)
  const member: { [member in Name]?: string } = {}
  member[name] = value
  return member
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_dpop_proof', 'The DPoP proof is not valid for this request.', { reason, cause })
}
