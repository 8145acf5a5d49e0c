import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { OAuthError } from '../protocol/errors.ts'
import { holderKey } from '../protocol/holder-key.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { type HolderKey, signKeyStatement } from '../protocol/sign.ts'
import type { ClientIdentity } from './client-authentication.ts'
import type { KeyStore } from './key-store.ts'
import { newJti } from './new-jti.ts'

/** The key of one agent in this process. It never leaves the shim: others see its thumbprint. */
export type AgentKey = {
  readonly holder: HolderKey
  readonly jkt: string
  /** Vouches for the key where it is not registered (protocol.md section 4). */
  readonly statement: (issuer: string, iat: number) => Promise<string | undefined>
}

const STATEMENT_SECONDS = 3600
/** Renewed before it ends under a request that is on its way. */
const STATEMENT_MARGIN_SECONDS = 300

/** A registered key from a store; made there at the first call, to be registered by whoever runs it. */
export async function storedKey(store: KeyStore): Promise<AgentKey> {
  const holder = await holderKey((await store.load()) ?? (await savedKey(store)))
  return { holder, jkt: (await importPublicJwk(holder.publicJwk)).jkt, statement: async () => undefined }
}

/** Of two processes that make one at once, the store keeps one: what it says counts. */
async function savedKey(store: KeyStore): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const made = await exportJWK(privateKey)
  await store.save(made)
  return (await store.load()) ?? made
}

/** A key in memory that cannot be read out, endorsed by the client's own key for an hour at a time. */
export async function endorsedKey(client: ClientIdentity, sub: string): Promise<AgentKey> {
  const { key } = client
  if (key === undefined) {
    throw new OAuthError(
      'invalid_request',
      'A client with a secret cannot vouch for a key; give the agent a keyStore.',
      {
        reason: 'no_endorsing_key',
      },
    )
  }
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: false })
  const { jwk, jkt } = await importPublicJwk(await exportJWK(publicKey))
  let current: { readonly text: Promise<string>; readonly exp: number } | undefined
  return {
    holder: { alg: 'ES256', privateKey, publicJwk: jwk },
    jkt,
    async statement(issuer, iat) {
      if (current === undefined || current.exp - iat < STATEMENT_MARGIN_SECONDS) {
        const exp = iat + STATEMENT_SECONDS
        const claims = { iss: client.client_id, sub, aud: issuer, jkt, iat, exp, jti: newJti() }
        current = { text: signKeyStatement(await key(), claims), exp }
      }
      return await current.text
    },
  }
}
