import { createHmac, createPublicKey, sign } from 'node:crypto'
import { base64url, forge, type TestKey } from '../protocol/forge.ts'
import { signed, type Unsigned } from './attempt.ts'

/** Makes a hostile JWS out of a good one that is not yet signed. */
export type Forging = (good: Unsigned) => string

/** Header members set or, with undefined, taken away; signed with the right key. */
export function header(members: Record<string, unknown>): Forging {
  return good => signed({ ...good, header: { ...good.header, ...members } })
}

/** Claims set or, with undefined, taken away; signed with the right key. */
export function payload(members: Record<string, unknown>): Forging {
  return good => signed({ ...good, payload: { ...good.payload, ...members } })
}

/** The very JSON text of the header or payload, signed with the right key. */
export function jsonText(part: 'header' | 'payload', change: (json: string) => string): Forging {
  return ({ header, payload, key }) =>
    part === 'header'
      ? forge(change(JSON.stringify(header)), payload, key)
      : forge(header, change(JSON.stringify(payload)), key)
}

/** The good JWS in another spelling. */
export function respelt(change: (jws: string) => string): Forging {
  return good => change(signed(good))
}

/** Good header and payload under another signature; text is taken as it is. */
export function signature(make: (input: string, good: Unsigned) => Uint8Array | string): Forging {
  return good => {
    const input = signed(good).split('.').slice(0, 2).join('.')
    const made = make(input, good)
    return `${input}.${typeof made === 'string' ? made : base64url(made)}`
  }
}

/** The signer's public key, which everybody has, as the secret of an HMAC. */
export function hmacWithPublicKey(secret: (key: TestKey) => string | Buffer): Forging {
  return good => {
    const parts = [{ ...good.header, alg: 'HS256' }, good.payload].map(part => base64url(JSON.stringify(part)))
    const input = parts.join('.')
    return `${input}.${createHmac('sha256', secret(good.key)).update(input).digest('base64url')}`
  }
}

export function publicPem({ privateKey }: TestKey): string {
  return createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    .export({ type: 'spki', format: 'pem' })
    .toString()
}

export function publicDer({ privateKey }: TestKey): Buffer {
  return createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ type: 'spki', format: 'der' })
}

/** ES256 in DER, which JWS does not know. */
export function derSignature(input: string, { key }: Unsigned): Uint8Array {
  return sign('sha256', Buffer.from(input), key.privateKey)
}
