import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { OAuthError } from '../../src/protocol/errors.ts'

/** A key pair with its public JWK, for signing what no honest library would sign. */
export type TestKey = { alg: string; privateKey: KeyObject; jwk: { [name: string]: unknown } }

export function testKey(alg: 'ES256' | 'EdDSA' | 'Ed25519' | 'PS256' | 'RS256', bits = 2048): TestKey {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'PS256' || alg === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: bits })
        : generateKeyPairSync('ed25519')
  return { alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }) } }
}

export function base64url(text: string | Uint8Array): string {
  return Buffer.from(text).toString('base64url')
}

/** Signs header and payload as given; a string is taken as the very JSON text. */
export function forge(header: object | string, payload: object | string, key: TestKey): string {
  const text = (part: object | string) => (typeof part === 'string' ? part : JSON.stringify(part))
  const input = `${base64url(text(header))}.${base64url(text(payload))}`
  return `${input}.${base64url(signature(input, key))}`
}

function signature(input: string, { alg, privateKey }: TestKey): Uint8Array {
  const data = Buffer.from(input)
  if (alg === 'ES256') return sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (alg === 'RS256') return sign('sha256', data, privateKey)
  if (alg === 'PS256') {
    return sign('sha256', data, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  }
  return sign(null, data, privateKey)
}

/** For assert.throws and assert.rejects: an OAuthError of this code and, where told, this reason. */
export function refusal(code: string, reason?: string): (error: unknown) => boolean {
  return error =>
    error instanceof OAuthError && error.code === code && (reason === undefined || error.reason === reason)
}

/**
 * Milliseconds that a call takes, whether it throws or not: the shortest of three, because a busy machine can only make
 * one longer than it is.
 */
export function elapsed(act: () => unknown): number {
  return Math.min(...[1, 2, 3].map(() => once(act)))
}

function once(act: () => unknown): number {
  const start = performance.now()
  try {
    act()
  } catch {
    // The time of a refusal is what is measured.
  }
  return performance.now() - start
}
