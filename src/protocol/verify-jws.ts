import { KeyObject } from 'node:crypto'
import { type CryptoKey, compactVerify, errors, type JWK } from 'jose'
import { type CompactJws, parseCompactJws } from './compact-jws.ts'
import { isCurveSignature } from './curve-signature.ts'
import { OAuthError } from './errors.ts'

export type ExpectedJws = {
  /** The algorithm of our own record of the key, never the token's (RFC 8725 section 3.1). */
  alg: string
  /** Kinds of token accepted here, without `application/` (RFC 8725 section 3.11). */
  typ: readonly string[]
  typMayBeAbsent?: boolean
  /** True only where the proof brings its own key: DPoP proofs and delegation assertions. */
  allowEmbeddedJwk?: boolean
  /** True only for tokens of another issuer: a certificate thumbprint in the header is not looked at. */
  isForeign?: boolean
}

/**
 * The one door for every JWT from outside: strict form, kind, algorithm, then the signature. Claims are judged by the
 * caller. Throws `invalid_request`; callers answer with their own code and keep `reason`.
 */
export async function verifyCompactJws(
  token: string,
  key: CryptoKey | JWK,
  expected: ExpectedJws,
): Promise<Pick<CompactJws, 'header' | 'payload'>> {
  const jws = parseCompactJws(token, { isForeign: expected.isForeign === true })
  await verifyParsedJws(jws, key, expected)
  return { header: jws.header, payload: jws.payload }
}

/** `verifyCompactJws` of what `parseCompactJws` has read: kind, algorithm, then the signature. */
export async function verifyParsedJws(
  { header, signingInput, signature }: CompactJws,
  key: CryptoKey | JWK | KeyObject,
  expected: ExpectedJws,
): Promise<void> {
  if (!isAcceptedTyp(header.typ, expected)) throw refusal('jws_typ')
  if (header.alg !== expected.alg) throw refusal('jws_alg')
  if (Object.hasOwn(header, 'jwk') && !expected.allowEmbeddedJwk) throw refusal('jws_embedded_jwk')
  const isSigned =
    key instanceof KeyObject ? isCurveSignature(key, { alg: expected.alg, signingInput, signature }) : undefined
  if (isSigned === true) return
  if (isSigned === false) throw refusal('jws_signature')
  const token = `${signingInput}.${Buffer.from(signature).toString('base64url')}`
  try {
    await compactVerify(token, key, { algorithms: [expected.alg] })
  } catch (cause) {
    if (cause instanceof errors.JOSEError || cause instanceof TypeError || cause instanceof DOMException) {
      throw refusal('jws_signature', cause)
    }
    throw cause
  }
}

/** Media type rules of RFC 7515 section 4.1.9: any letter case, `application/` may be left out. */
export function isAcceptedTyp(typ: unknown, expected: Pick<ExpectedJws, 'typ' | 'typMayBeAbsent'>): boolean {
  if (typ === undefined) return expected.typMayBeAbsent === true
  if (typeof typ !== 'string') return false
  const kind = typ.toLowerCase().replace(/^application\//, '')
  return expected.typ.some(accepted => accepted.toLowerCase() === kind)
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', 'The token could not be verified.', { reason, cause })
}
