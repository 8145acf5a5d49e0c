import type { KeyObject } from 'node:crypto'

/** A private key of P-256 in the form that Web Crypto signs with. */
export function asWebKey(key: KeyObject): CryptoKey {
  return key.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])
}
