import { createPublicKey, verify } from 'node:crypto'
import { importJWK } from 'jose'
import { z } from 'zod'

const headerSchema = z.object({ kid: z.string().optional(), jwk: z.record(z.string(), z.string()).optional() })
// Ours have members of text only.
const jwksSchema = z.object({ keys: z.array(z.record(z.string(), z.string())) })
const ECDSA = { name: 'ECDSA', hash: 'SHA-256' }

type Check = () => Promise<void>

/**
 * What no verifier can save: the ES256 signatures of one token and of one proof, one after the other, with keys that were
 * imported and bytes that were decoded before. `fastest` checks on the calling thread; WebCrypto goes to another and back
 * for each.
 */
export async function bareChecks(
  headers: Readonly<Record<string, string>>,
  jwks_uri: string,
): Promise<{ readonly fastest: Check; readonly byWebCrypto: Check }> {
  const { keys } = jwksSchema.parse(await (await fetch(jwks_uri)).json())
  const { authorization = '', dpop = '' } = headers
  const signed = await Promise.all(
    [authorization.replace('DPoP ', ''), dpop].map(async jws => {
      const [header = '', payload = '', signature = ''] = jws.split('.')
      const { kid, jwk } = headerSchema.parse(JSON.parse(Buffer.from(header, 'base64url').toString()))
      const publicJwk = jwk ?? keys.find(one => one.kid === kid) ?? {}
      const webKey = await importJWK(publicJwk, 'ES256')
      if (webKey instanceof Uint8Array) throw new Error('The key is a symmetric one.')
      const key = { key: createPublicKey({ key: publicJwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
      const data = Buffer.from(`${header}.${payload}`)
      return { webKey, key, data, signature: Buffer.from(signature, 'base64url') }
    }),
  )
  return {
    async fastest() {
      for (const { key, data, signature } of signed) demand(verify('sha256', data, key, signature))
    },
    async byWebCrypto() {
      for (const { webKey, data, signature } of signed) {
        demand(await crypto.subtle.verify(ECDSA, webKey, signature, data))
      }
    },
  }
}

function demand(holds: boolean): void {
  if (!holds) throw new Error('A good signature does not hold.')
}
