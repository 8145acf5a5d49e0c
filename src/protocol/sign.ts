import { CompactSign, calculateJwkThumbprint, SignJWT } from 'jose'
import { DELEGATION_TYP, type DelegationClaims } from './delegation.ts'
import { sha256Base64url } from './digest.ts'
import type { PublicJwk } from './jwk.ts'
import { KEY_STATEMENT_TYP } from './key-statement.ts'

/** A caller's own key: what signs, and the public half that stands in a proof. */
export type HolderKey = { readonly alg: string; readonly privateKey: CryptoKey; readonly publicJwk: PublicJwk }

/**
 * What a DPoP proof says (RFC 9449 section 4.2); `iat` in epoch seconds, `jti` fresh for each request; `bd` and `scope` bind
 * the call (protocol.md section 8).
 */
export type ProofClaims = {
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly jti: string
  readonly nonce?: string
  readonly access_token?: string
  readonly bd?: string
  readonly scope?: string
}

/** Signs one DPoP proof for one request. */
export async function signDpopProof(key: HolderKey, claims: ProofClaims): Promise<string> {
  const { access_token, ...rest } = claims
  const payload = { ...rest, ...(access_token !== undefined && { ath: accessTokenHash(access_token) }) }
  return await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ typ: 'dpop+jwt', alg: key.alg, jwk: { ...key.publicJwk } })
    .sign(key.privateKey)
}

/**
 * Signs one client assertion (RFC 7523 section 3, audience by RFC 10070), good for 60 s; `iat` in epoch seconds. It names its
 * key: a client that rotates has two.
 */
export async function signClientAssertion(
  key: HolderKey,
  claims: { readonly client_id: string; readonly issuer: string; readonly iat: number; readonly jti: string },
): Promise<string> {
  const { client_id, issuer, iat, jti } = claims
  const kid = await calculateJwkThumbprint(key.publicJwk, 'sha256')
  return await new SignJWT({ iss: client_id, sub: client_id, aud: issuer, iat, exp: iat + 60, jti })
    .setProtectedHeader({ typ: 'client-authentication+jwt', alg: key.alg, kid })
    .sign(key.privateKey)
}

/** What a key statement says (protocol.md section 4); times in epoch seconds. */
export type KeyStatementClaims = {
  /** Subject names: the agent itself or its client, and the agent. */
  readonly iss: string
  readonly sub: string
  readonly aud: string
  /** Thumbprint of the key that is vouched for. */
  readonly jkt: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
}

/** Vouches with a registered key of the agent, or with its client's key, for another key of the agent. */
export async function signKeyStatement(key: HolderKey, { ...claims }: KeyStatementClaims): Promise<string> {
  const kid = await calculateJwkThumbprint(key.publicJwk, 'sha256')
  return await new SignJWT(claims)
    .setProtectedHeader({ typ: KEY_STATEMENT_TYP, alg: key.alg, kid })
    .sign(key.privateKey)
}

/** Signs a delegation assertion with the key that the delegator's own token is bound to (protocol.md section 6). */
export async function signDelegation(key: HolderKey, claims: DelegationClaims): Promise<string> {
  return await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ typ: DELEGATION_TYP, alg: key.alg, jwk: { ...key.publicJwk } })
    .sign(key.privateKey)
}

/** `ath` of RFC 9449 section 4.2: base64url SHA-256 of the access token's ASCII. */
export function accessTokenHash(access_token: string): string {
  return sha256Base64url(access_token)
}
