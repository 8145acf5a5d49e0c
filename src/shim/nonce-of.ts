const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/

/** A nonce as it was sent (RFC 9449 section 8.1); undefined for none, and for what can stand in no proof. */
export function readNonce(sent: unknown): string | undefined {
  return typeof sent === 'string' && NONCE.test(sent) ? sent : undefined
}

/** The nonce that an answer gives. */
export function nonceOf(headers: Headers): string | undefined {
  return readNonce(headers.get('dpop-nonce'))
}
