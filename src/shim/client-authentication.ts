import type { JWK } from 'jose'
import { holderKey } from '../protocol/holder-key.ts'
import type { JsonObject } from '../protocol/json.ts'
import { type HolderKey, signClientAssertion } from '../protocol/sign.ts'
import type { ClientCredential, SecretCredential } from './agent-options.ts'
import { newJti } from './new-jti.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export type Authentication = { readonly body: JsonObject; readonly headers: Readonly<Record<string, string>> }

/** The client that an agent belongs to: what it adds to a token request, and its key where it has one. */
export type ClientIdentity = {
  readonly client_id: string
  readonly key: (() => Promise<HolderKey>) | undefined
  /** Members of the body or headers; an assertion is good once. `iat` in epoch seconds. */
  readonly authenticate: (issuer: string, iat: number) => Promise<Authentication>
}

/** By private_key_jwt (RFC 7523) where there is a key, else by the secret (RFC 6749 section 2.3.1). */
export function clientIdentity(credential: ClientCredential): ClientIdentity {
  const { client_id } = credential
  if ('client_secret' in credential) {
    const authentication = bySecret(credential)
    return { client_id, key: undefined, authenticate: async () => authentication }
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
      const assertion = { client_id, issuer, iat, jti: newJti() }
      const client_assertion = await signClientAssertion(await key(), assertion)
      return { body: { client_assertion_type: ASSERTION_TYPE, client_assertion }, headers: {} }
    },
  }
}

/** The method that the client is registered with; the server takes no other (attacks.md 26). */
function bySecret({ client_id, client_secret, token_endpoint_auth_method }: SecretCredential): Authentication {
  if (token_endpoint_auth_method === 'client_secret_post') return { body: { client_id, client_secret }, headers: {} }
  const pair = [client_id, client_secret].map(encodeURIComponent).join(':')
  return { body: {}, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } }
}

async function asHolder(key: HolderKey | JWK): Promise<HolderKey> {
  return isHolder(key) ? key : await holderKey(key)
}

function isHolder(key: HolderKey | JWK): key is HolderKey {
  return 'privateKey' in key
}
