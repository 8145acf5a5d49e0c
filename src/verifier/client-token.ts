import { exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { readBounded } from '../protocol/bounded-body.ts'
import { type ClientCredential, clientAuthentication } from '../protocol/client-authentication.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../protocol/grant-types.ts'
import { parseStrictJson } from '../protocol/json.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { type HolderKey, signDpopProof } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'
import { errorCodeOf } from './error-code-of.ts'
import { newId } from './new-id.ts'

/** The client that an API is registered with: `client_id` in the record of its resource. */
export type ResourceClient = ClientCredential

export type ClientTokenOptions = {
  readonly issuer: string
  readonly client: ResourceClient
  readonly scope: string
  readonly fetch: typeof fetch
  readonly now: () => Date
}

/** Why the server gave no token: its status, and its own word for it where it said one. */
export type TokenRefused = { readonly status: number; readonly error: string | undefined }

/** An access token of the client's own for `<issuer>`, got when it is needed and kept until shortly before it ends. */
export type ClientToken = {
  /** The headers of one request with it. Throws where the server gave no answer that can be used. */
  readonly headers: (
    method: string,
    url: string,
  ) => Promise<{ readonly headers: Record<string, string> } | { readonly refused: TokenRefused }>
  readonly forget: () => void
}

const TIMEOUT_MILLISECONDS = 5000
const MAX_BYTES = 65_536
/** Seconds before its end at which a token is not used any more. */
const RENEW_AHEAD = 30
const grantedSchema = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() })

export function clientToken({ issuer, client, scope, now, fetch: send }: ClientTokenOptions): ClientToken {
  const token_endpoint = `${issuer}/oauth/token`
  let key: Promise<HolderKey> | undefined
  let held: { readonly access_token: string; readonly until: number } | undefined
  let nonce: string | undefined

  async function proof(htm: string, htu: string, access_token?: string): Promise<string> {
    key ??= newHolderKey()
    const told = access_token === undefined ? nonce !== undefined && { nonce } : { access_token }
    return await signDpopProof(await key, { htm, htu, iat: epochSeconds(now()), jti: newId(), ...told })
  }

  async function ask(): Promise<Response> {
    const at = { issuer, iat: epochSeconds(now()), jti: newId() }
    const { body, headers } = await clientAuthentication(client, at)
    const response = await send(token_endpoint, {
      method: 'POST',
      headers: { ...headers, dpop: await proof('POST', token_endpoint) },
      body: new URLSearchParams({ grant_type: CLIENT_CREDENTIALS_GRANT, scope, resource: issuer, ...body }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    return response
  }

  async function get(): Promise<string | TokenRefused> {
    if (held && epochSeconds(now()) < held.until) return held.access_token
    const known = nonce
    let response = await ask()
    // The server may want its nonce in the proof (RFC 9449 section 8): once, and only where it named another.
    if (response.status === 400 && nonce !== known) response = await ask()
    if (!response.ok) return { status: response.status, error: await errorCodeOf(response) }
    const granted = grantedSchema.safeParse(parseStrictJson(await readBounded(response, MAX_BYTES)))
    if (!granted.data) throw new Error('The server gave the client no access token.')
    const { access_token, expires_in } = granted.data
    held = { access_token, until: epochSeconds(now()) + expires_in - RENEW_AHEAD }
    return access_token
  }

  return {
    async headers(method, url) {
      const got = await get()
      if (typeof got !== 'string') return { refused: got }
      return { headers: { authorization: `DPoP ${got}`, dpop: await proof(method, url, got) } }
    },
    forget() {
      held = undefined
    },
  }
}

/** A key of this process alone: the proofs of a client's own tokens need no registered one (protocol.md section 3). */
async function newHolderKey(): Promise<HolderKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const { jwk } = await importPublicJwk({ ...(await exportJWK(publicKey)) })
  return { alg: 'ES256', privateKey, publicJwk: jwk }
}
