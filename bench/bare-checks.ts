import { importJWK } from 'jose'
import { z } from 'zod'

const headerSchema = z.object({ kid: z.string().optional(), jwk: z.record(z.string(), z.string()).optional() })
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string() })) })
const ECDSA = { name: 'ECDSA', hash: 'SHA-256' }

/**
 * What no verifier can save: the signatures of one token and of one proof, one after the other, with keys that were
 * imported and bytes that were decoded before.
 */
export async function bareChecks(
  headers: Readonly<Record<string, string>>,
  jwks_uri: string,
): Promise<() => Promise<void>> {
  const { keys } = jwksSchema.parse(await (await fetch(jwks_uri)).json())
  const { authorization = '', dpop = '' } = headers
  const checks = await Promise.all(
    [authorization.replace('DPoP ', ''), dpop].map(async jws => {
      const [header = '', payload = '', signature = ''] = jws.split('.')
      const { kid, jwk } = headerSchema.parse(JSON.parse(Buffer.from(header, 'base64url').toString()))
      const key = await importJWK(jwk ?? keys.find(one => one.kid === kid) ?? {}, 'ES256')
      if (key instanceof Uint8Array) throw new Error('The key is a symmetric one.')
      return { key, data: Buffer.from(`${header}.${payload}`), signature: Buffer.from(signature, 'base64url') }
    }),
  )
  return async () => {
    for (const { key, data, signature } of checks) {
      if (!(await crypto.subtle.verify(ECDSA, key, signature, data))) throw new Error('A good signature does not hold.')
    }
  }
}
