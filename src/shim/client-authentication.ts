import { randomUUID } from 'node:crypto'
import type { JWK } from 'jose'
import { holderKey } from '../protocol/holder-key.ts'
import type { JsonObject } from '../protocol/json.ts'
import { type HolderKey, signClientAssertion } from '../protocol/sign.ts'
import type { ClientCredential } from './agent-options.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The client that an agent belongs to: what it adds to a token request, and its key where it has one. */
export type ClientIdentity = {
  readonly client_id: string
  readonly key: (() => Promise<HolderKey>) | undefined
  /** Good once; `iat` in epoch seconds. */
  readonly authenticate: (issuer: string, iat: number) => Promise<JsonObject>
}

/** By private_key_jwt (RFC 7523) where there is a key, else by the secret (RFC 6749 section 2.3.1). */
export function clientIdentity(credential: ClientCredential): ClientIdentity {
  const { client_id } = credential
  if ('client_secret' in credential) {
    const { client_secret } = credential
    return { client_id, key: undefined, authenticate: async () => ({ client_id, client_secret }) }
  }
  const given = credential.key
  let read: Promise<HolderKey> | undefined
  const key = async () => {
    read ??= asHolder(given)
    return await read
  }
  return {
    client_id,
    key,
    async authenticate(issuer, iat) {
      const assertion = { client_id, issuer, iat, jti: randomUUID() }
      const client_assertion = await signClientAssertion(await key(), assertion)
      return { client_assertion_type: ASSERTION_TYPE, client_assertion }
    },
  }
}

async function asHolder(key: HolderKey | JWK): Promise<HolderKey> {
  return isHolder(key) ? key : await holderKey(key)
}

function isHolder(key: HolderKey | JWK): key is HolderKey {
  return 'privateKey' in key
}
