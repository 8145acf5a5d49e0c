import {
  type ClientAuthentication,
  type ClientCredential,
  clientAuthentication,
} from '../protocol/client-authentication.ts'
import { holderKey } from '../protocol/holder-key.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { newJti } from './new-jti.ts'

/** The client that an agent belongs to: what it adds to a token request, and its key where it has one. */
export type ClientIdentity = {
  readonly client_id: string
  readonly key: (() => Promise<HolderKey>) | undefined
  /** An assertion is good once; `iat` in epoch seconds. */
  readonly authenticate: (issuer: string, iat: number) => Promise<ClientAuthentication>
}

/** Reads a key once, however many agents' mints use it. */
export function clientIdentity(credential: ClientCredential): ClientIdentity {
  const { client_id } = credential
  if (!('key' in credential)) {
    const authenticate = async (issuer: string, iat: number) =>
      await clientAuthentication(credential, { issuer, iat, jti: newJti() })
    return { client_id, key: undefined, authenticate }
  }
  const given = credential.key
  let read: Promise<HolderKey> | undefined
  const key = async () => {
    read ??= 'privateKey' in given ? Promise.resolve(given) : holderKey(given)
    return await read
  }
  return {
    client_id,
    key,
    authenticate: async (issuer, iat) =>
      await clientAuthentication({ client_id, key: await key() }, { issuer, iat, jti: newJti() }),
  }
}
