import { timingSafeEqual } from 'node:crypto'
import type { AuthMethod } from '../../protocol/client.ts'
import { verifyClientAssertion } from '../../protocol/client-assertion.ts'
import { isKid, parseCompactJws } from '../../protocol/compact-jws.ts'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { clientIdSchema } from '../../protocol/names.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { ClientCredentials } from '../../protocol/token-request.ts'
import type { Context } from '../context.ts'
import { clientKeys } from '../registry/client-keys.ts'
import { findSecrets } from '../store/client-secrets.ts'
import { type Client, findClient } from '../store/clients.ts'
import type { ReplayClaim } from '../store/replay.ts'
import { basicCredentials } from './basic-credentials.ts'
import type { TokenHttp } from './token-http.ts'

export type AuthenticatedClient = {
  readonly client: Client
  readonly method: AuthMethod | 'bearer'
  /** The assertion's single use, claimed in the request's one write. */
  readonly claims: readonly ReplayClaim[]
}

/** Compared where there is no secret; the digest of nothing that anybody can send. */
const NOBODYS_DIGEST = Buffer.alloc(32)

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * Who is asking (RFC 6749 section 2.3, RFC 7523, RFC 10070; protocol.md section 3): by the client's one registered
 * method, or by a Bearer access token of its own where the endpoint takes one. Throws `invalid_client` with one text
 * for every cause, `invalid_token`, and `invalid_request` for two methods at once.
 */
export async function authenticateClient(
  ctx: Context,
  http: TokenHttp,
  credentials: ClientCredentials,
  bearerAllowed: boolean,
): Promise<AuthenticatedClient> {
  const authenticated = await byMethod(ctx, http, credentials, bearerAllowed)
  const { client, method } = authenticated
  if (client.status !== 'active') throw refusal('client_revoked')
  if (method !== 'bearer' && client.token_endpoint_auth_method !== method) throw refusal('other_auth_method')
  if (credentials.client_id !== undefined && credentials.client_id !== client.client_id)
    throw refusal('other_client_id')
  ctx.limits.client(client.client_id, { endpoint: http.endpoint, address: http.origin.address })
  return authenticated
}

async function byMethod(
  ctx: Context,
  http: TokenHttp,
  credentials: ClientCredentials,
  bearerAllowed: boolean,
): Promise<AuthenticatedClient> {
  const { client_id, client_secret, client_assertion, client_assertion_type } = credentials
  const assertion = client_assertion !== undefined || client_assertion_type !== undefined
  if ([http.authorization, client_secret, assertion || undefined].filter(sent => sent !== undefined).length > 1) {
    throw new OAuthError('invalid_request', 'Use one method of client authentication.', { reason: 'two_auth_methods' })
  }
  if (http.authorization !== undefined) return await byHeader(ctx, http, http.authorization, bearerAllowed)
  if (assertion) {
    if (client_assertion === undefined || client_assertion_type !== ASSERTION_TYPE) throw refusal('assertion_type')
    return await byAssertion(ctx, client_assertion)
  }
  if (client_secret === undefined) throw refusal('no_credentials')
  return { client: await bySecret(ctx, client_id ?? '', client_secret), method: 'client_secret_post', claims: [] }
}

async function byHeader(
  ctx: Context,
  http: TokenHttp,
  authorization: string,
  bearerAllowed: boolean,
): Promise<AuthenticatedClient> {
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S+)$/.exec(authorization) ?? []
  switch (scheme.toLowerCase()) {
    case 'basic': {
      const sent = basicCredentials(value)
      if (!sent) throw refusal('malformed_basic')
      const client = await bySecret(ctx, sent.client_id, sent.client_secret)
      return { client, method: 'client_secret_basic', claims: [] }
    }
    case 'bearer': {
      if (!bearerAllowed) throw refusal('bearer_not_accepted')
      const { client_id } = await http.verifyBearer(value)
      const client = await findClient(ctx, client_id)
      if (!client) throw refusal('unknown_client')
      return { client, method: 'bearer', claims: [] }
    }
    case 'dpop': {
      if (!bearerAllowed) throw refusal('bearer_not_accepted')
      throw new OAuthError('invalid_token', 'The access token must be a Bearer token here; it must not be bound.', {
        reason: 'bound_client_token',
      })
    }
    default:
      throw refusal('unknown_auth_scheme')
  }
}

async function byAssertion(ctx: Context, assertion: string): Promise<AuthenticatedClient> {
  const found = new Map<string, Client>()
  const { client_id, jti, expires_at } = await verifyClientAssertion(assertion, {
    issuer: ctx.config.issuer,
    now: epochSeconds(ctx.now()),
    notBefore: ctx.notBefore,
    async lookup(id) {
      const client = await findClient(ctx, id)
      if (!client || (client.jwks === null && client.jwks_uri === null)) return undefined
      found.set(id, client)
      return { client_id: id, keys: await clientKeys(ctx, client, kidOf(assertion)) }
    },
  })
  const client = found.get(client_id)
  if (!client) throw refusal('unknown_client')
  const claim: ReplayClaim = {
    kind: 'client_assertion',
    owner: client_id,
    jti,
    expires_at: new Date(expires_at * 1000),
  }
  return { client, method: 'private_key_jwt', claims: [claim] }
}

/** The key that the assertion names, not verified: only for whether a key set is asked for again. */
function kidOf(assertion: string): string | undefined {
  const { kid } = parseCompactJws(assertion).header
  return isKid(kid) ? kid : undefined
}

/** An unknown client costs what a wrong secret costs: the same reads, the same comparison. */
async function bySecret(ctx: Context, client_id: string, client_secret: string): Promise<Client> {
  const digest = sha256(client_secret)
  const id = clientIdSchema.safeParse(client_id).data ?? ''
  const client = await findClient(ctx, id)
  const digests = (await findSecrets(ctx, id, ctx.now())).map(secret => secret.secret_digest)
  const matches = (digests.length > 0 ? digests : [NOBODYS_DIGEST]).filter(known => timingSafeEqual(known, digest))
  if (client && matches.length > 0) return client
  throw refusal('client_or_secret')
}

function refusal(reason: string): OAuthError {
  return new OAuthError('invalid_client', 'Client authentication failed.', { reason })
}
