import { createHash, randomUUID } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'

export type TestKey = {
  readonly alg: string
  readonly privateKey: CryptoKey
  /** Public JWK without `kid`. */
  readonly jwk: JWK
  readonly jkt: string
}

export type ProofInput = {
  readonly htm?: string
  readonly htu: string
  /** Epoch seconds. */
  readonly iat: number
  /** Access token for `ath`. */
  readonly accessToken?: string
  readonly nonce?: string
  readonly jti?: string
}

/** Members to set or, with undefined, to leave out: what a hostile sender would change. */
export type Overrides = {
  readonly header?: Readonly<Record<string, unknown>>
  readonly payload?: Readonly<Record<string, unknown>>
}

export type AssertionInput = {
  readonly client_id: string
  readonly issuer: string
  /** Epoch seconds. */
  readonly iat: number
  readonly kid?: string
  readonly jti?: string
}

/** A fresh key pair: ES256 unless told. */
export async function generateKey(alg: 'ES256' | 'EdDSA' | 'PS256' | 'RS256' = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { alg, privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) }
}

/** A DPoP proof (RFC 9449 section 4.2). */
export async function signProof(key: TestKey, input: ProofInput, overrides: Overrides = {}): Promise<string> {
  const { htm = 'POST', htu, iat, accessToken, nonce, jti = randomUUID() } = input
  const ath = accessToken === undefined ? undefined : createHash('sha256').update(accessToken).digest('base64url')
  return await signJws(
    key,
    { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...overrides.header },
    { jti, htm, htu, iat, ath, nonce, ...overrides.payload },
  )
}

/** A `private_key_jwt` client assertion (RFC 7523, audience by RFC 10070). */
export async function signAssertion(key: TestKey, input: AssertionInput, overrides: Overrides = {}): Promise<string> {
  const { client_id, issuer, iat, kid, jti = randomUUID() } = input
  return await signJws(
    key,
    { typ: 'client-authentication+jwt', alg: key.alg, kid, ...overrides.header },
    { iss: client_id, sub: client_id, aud: issuer, iat, exp: iat + 60, jti, ...overrides.payload },
  )
}

/** Any compact JWS; members that are undefined are left out. */
export async function signJws(
  key: Pick<TestKey, 'alg' | 'privateKey'>,
  header: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
): Promise<string> {
  return await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: key.alg, ...definedMembers(header) })
    .sign(key.privateKey)
}

function definedMembers(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
