import { importJWK, type JWK } from 'jose'
import { OAuthError } from './errors.ts'
import { importPublicJwk } from './jwk.ts'
import type { HolderKey } from './sign.ts'

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'key_ops', 'ext']

/** A JWK without what is private in it, or only for whoever signs. */
export function publicMembers(jwk: JWK): JWK {
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE_MEMBERS.includes(name)))
}

/** A private JWK as a key that signs. Throws `invalid_request`. */
export async function holderKey(jwk: JWK): Promise<HolderKey> {
  if (typeof jwk.d !== 'string') throw refusal('The key has no private part.')
  const { jwk: publicJwk, algs } = await importPublicJwk(publicMembers(jwk))
  const [alg = ''] = algs
  const privateKey = await importJWK(jwk, alg)
  if (privateKey instanceof Uint8Array) throw refusal('The key is a symmetric one.')
  return { alg, privateKey, publicJwk }
}

function refusal(description: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason: 'no_private_key' })
}
