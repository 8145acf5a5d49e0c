import { type KeyObject, verify } from 'node:crypto'

/** The algorithms of curves, with the kind of key and the hash that belong to them (RFC 7518 section 3.4, RFC 8037). */
const CURVES: ReadonlyMap<string, { readonly key: string; readonly hash: string | null }> = new Map([
  ['ES256', { key: 'ec', hash: 'sha256' }],
  ['EdDSA', { key: 'ed25519', hash: null }],
  ['Ed25519', { key: 'ed25519', hash: null }],
])
const SIGNATURE_BYTES = 64

type Signed = { readonly alg: string; readonly signingInput: string; readonly signature: Uint8Array }

/**
 * Whether a signature is by this key, checked on the calling thread, which is over before another thread would have
 * begun. Undefined where algorithm and key are not of one curve: RSA is slow enough to go elsewhere. The key comes from
 * `importPublicJwk`.
 */
export function isCurveSignature(key: KeyObject, { alg, signingInput, signature }: Signed): boolean | undefined {
  const curve = CURVES.get(alg)
  if (curve === undefined || key.type !== 'public' || key.asymmetricKeyType !== curve.key) return undefined
  if (signature.length !== SIGNATURE_BYTES) return false
  return verify(curve.hash, Buffer.from(signingInput), { key, dsaEncoding: 'ieee-p1363' }, signature)
}
