import { hash, timingSafeEqual } from 'node:crypto'

/** SHA-256; a string is hashed as UTF-8. What secrets rest as, and what a column compares. */
export function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer')
}

/** SHA-256 in lowercase hex; a string is hashed as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** SHA-256 in base64url without padding, the form of `ath`, `bd`, `prev` and `arguments_digest`; a string as UTF-8. */
export function sha256Base64url(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url')
}

/** Compares two short texts in a time that depends on their lengths only. */
export function equalConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8')
  const right = Buffer.from(b, 'utf8')
  return left.length === right.length && timingSafeEqual(left, right)
}
