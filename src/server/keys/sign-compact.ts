import { sign } from 'node:crypto'
import { CompactSign } from 'jose'
import type { Signer } from './keyring.ts'

/** Hash and curve of the algorithms that are signed here; RSA is slow enough to go to another thread. */
const CURVES: ReadonlyMap<string, string | null> = new Map([
  ['ES256', 'sha256'],
  ['EdDSA', null],
])

/**
 * Signs claims as a compact JWS (RFC 7515 section 7.1) by one of our keys. By a curve on the calling thread, which is
 * over before another thread would have begun.
 */
export async function signCompact(signer: Signer, typ: string, claims: object): Promise<string> {
  const { alg, kid, key } = signer
  const header = { alg, typ, kid }
  const payload = JSON.stringify(claims)
  const hash = CURVES.get(alg)
  if (hash === undefined) return await new CompactSign(Buffer.from(payload)).setProtectedHeader(header).sign(key)
  const signingInput = `${base64url(JSON.stringify(header))}.${base64url(payload)}`
  const own = { key, dsaEncoding: 'ieee-p1363' } as const
  return `${signingInput}.${sign(hash, Buffer.from(signingInput), own).toString('base64url')}`
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
