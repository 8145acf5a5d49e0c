import type { JWK } from 'jose'
import { holderKey } from './holder-key.ts'
import { type HolderKey, signClientAssertion } from './sign.ts'

/** How a client proves who it is: by `private_key_jwt`, or by the secret that it was given. */
export type ClientCredential = KeyCredential | SecretCredential

export type KeyCredential = { readonly client_id: string; readonly key: HolderKey | JWK }

export type SecretCredential = {
  readonly client_id: string
  readonly client_secret: string
  /** As the client is registered; `client_secret_basic` unless told. */
  readonly token_endpoint_auth_method?: 'client_secret_basic' | 'client_secret_post'
}

/** What a request adds to its form, or to its JSON, and to its headers. */
export type ClientAuthentication = {
  readonly body: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * Authenticates one request of a client, by its key where it has one (RFC 7523 section 2.2): an assertion is good once,
 * so `jti` is fresh for each request; `iat` in epoch seconds. Throws `invalid_request` for a key that cannot sign.
 */
export async function clientAuthentication(
  credential: ClientCredential,
  at: { readonly issuer: string; readonly iat: number; readonly jti: string },
): Promise<ClientAuthentication> {
  if ('client_secret' in credential) return bySecret(credential)
  const { client_id, key } = credential
  const holder = 'privateKey' in key ? key : await holderKey(key)
  const client_assertion = await signClientAssertion(holder, { client_id, ...at })
  return { body: { client_assertion_type: ASSERTION_TYPE, client_assertion }, headers: {} }
}

/** The method that the client is registered with; the server takes no other (attacks.md 26). */
function bySecret({ client_id, client_secret, token_endpoint_auth_method }: SecretCredential): ClientAuthentication {
  if (token_endpoint_auth_method === 'client_secret_post') return { body: { client_id, client_secret }, headers: {} }
  const pair = `${formEncoded(client_id)}:${formEncoded(client_secret)}`
  return { body: {}, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } }
}

/** RFC 6749 section 2.3.1 and appendix B: both halves as values of a form. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
