import { generateKeyPairSync, hash, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { HolderKey } from '../../src/protocol/sign.ts'

const SIGNED_WITHIN = 60

/** A key pair of P-256 that signs on the calling thread: thousands of requests before a round. */
export type SigningKey = {
  readonly keyObject: KeyObject
  readonly publicJwk: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  /** Thumbprint (RFC 7638). */
  readonly kid: string
}

/** One that the tools of other programs can sign with, too. */
export type BenchKey = HolderKey & SigningKey

export function generateSigningKey(): SigningKey {
  const { privateKey: keyObject, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  // RFC 7638 section 3.2: the members that make the key, in this order.
  const kid = hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url')
  return { keyObject, publicJwk: { kty: 'EC', crv: 'P-256', x, y }, kid }
}

export function generateBenchKey(): BenchKey {
  const key = generateSigningKey()
  const privateKey = key.keyObject.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  return { ...key, alg: 'ES256', privateKey }
}

/** Signs client assertions (RFC 7523, RFC 10070), each good once. */
export function assertionSigner(key: SigningKey, client_id: string, aud: string): () => string {
  const header = encode({ typ: 'client-authentication+jwt', alg: 'ES256', kid: key.kid })
  return () => {
    const iat = seconds()
    return signed(key, header, {
      iss: client_id,
      sub: client_id,
      aud,
      iat,
      exp: iat + SIGNED_WITHIN,
      jti: randomUUID(),
    })
  }
}

/** Signs DPoP proofs (RFC 9449 section 4.2), each good once; with an access token, for a call of an API. */
export function proofSigner(key: SigningKey, htm: string, htu: string): (access_token?: string) => string {
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicJwk })
  return access_token => {
    const ath = access_token === undefined ? {} : { ath: hash('sha256', access_token, 'base64url') }
    return signed(key, header, { htm, htu, iat: seconds(), jti: randomUUID(), ...ath })
  }
}

function signed(key: SigningKey, header: string, payload: object): string {
  const data = `${header}.${encode(payload)}`
  const options = { key: key.keyObject, dsaEncoding: 'ieee-p1363' } as const
  return `${data}.${sign('sha256', Buffer.from(data), options).toString('base64url')}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function seconds(): number {
  return Math.floor(Date.now() / 1000)
}
