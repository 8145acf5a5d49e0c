import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { z } from 'zod'
import { CLIENT_CREDENTIALS_GRANT } from '../protocol/grant-types.ts'
import { holderKey } from '../protocol/holder-key.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { type HolderKey, signClientAssertion, signDpopProof } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'

/** The client that an API is registered with: `client_id` in the record of its resource. */
export type ResourceClient =
  | { readonly client_id: string; readonly key: HolderKey | JWK }
  | { readonly client_id: string; readonly client_secret: string }

export type ClientTokenOptions = {
  readonly issuer: string
  readonly client: ResourceClient
  readonly scope: string
  readonly fetch: typeof fetch
  readonly now: () => Date
  readonly randomId: () => string
}

/** An access token of the client's own for `<issuer>`, got when it is needed and kept until shortly before it ends. */
export type ClientToken = {
  /** The headers of one request with it. Throws where the server gives none. */
  readonly headers: (method: string, url: string) => Promise<Record<string, string>>
  readonly forget: () => void
}

const TIMEOUT_MILLISECONDS = 5000
/** Seconds before its end at which a token is not used any more. */
const RENEW_AHEAD = 30
const grantedSchema = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() })
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function clientToken(options: ClientTokenOptions): ClientToken {
  const { issuer, client, scope, now, randomId } = options
  const token_endpoint = `${issuer}/oauth/token`
  let key: Promise<HolderKey> | undefined
  let held: { readonly access_token: string; readonly until: number } | undefined
  let nonce: string | undefined

  async function proof(htm: string, htu: string, access_token?: string): Promise<string> {
    key ??= newHolderKey()
    const told = access_token === undefined ? nonce !== undefined && { nonce } : { access_token }
    return await signDpopProof(await key, { htm, htu, iat: epochSeconds(now()), jti: randomId(), ...told })
  }

  async function ask(): Promise<Response> {
    const response = await options.fetch(token_endpoint, {
      method: 'POST',
      headers: { ...basicHeader(client), dpop: await proof('POST', token_endpoint) },
      body: new URLSearchParams({
        grant_type: CLIENT_CREDENTIALS_GRANT,
        scope,
        resource: issuer,
        ...(await assertionMembers(options)),
      }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    return response
  }

  async function get(): Promise<string> {
    if (held && epochSeconds(now()) < held.until) return held.access_token
    const known = nonce
    let response = await ask()
    // The server may want its nonce in the proof (RFC 9449 section 8): once, and only where it named another.
    if (response.status === 400 && nonce !== known) response = await ask()
    const granted = grantedSchema.safeParse(await response.json())
    if (!response.ok || !granted.data) throw new Error('The server gave the client no access token.')
    const { access_token, expires_in } = granted.data
    held = { access_token, until: epochSeconds(now()) + expires_in - RENEW_AHEAD }
    return access_token
  }

  return {
    async headers(method, url) {
      const access_token = await get()
      return { authorization: `DPoP ${access_token}`, dpop: await proof(method, url, access_token) }
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

/** RFC 6749 section 2.3.1: both halves are form-encoded. */
function basicHeader(client: ResourceClient): Record<string, string> {
  if (!('client_secret' in client)) return {}
  const [id, secret] = [client.client_id, client.client_secret].map(text =>
    new URLSearchParams({ _: text }).toString().slice(2),
  )
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
}

async function assertionMembers({
  client,
  issuer,
  now,
  randomId,
}: ClientTokenOptions): Promise<Record<string, string>> {
  if (!('key' in client)) return {}
  const key = 'privateKey' in client.key ? client.key : await holderKey(client.key)
  const claims = { client_id: client.client_id, issuer, iat: epochSeconds(now()), jti: randomId() }
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: await signClientAssertion(key, claims) }
}
