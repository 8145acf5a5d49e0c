import { timingSafeEqual } from 'node:crypto'
import type { AuthMethod } from '../../protocol/client.ts'
import { verifyClientAssertion } from '../../protocol/client-assertion.ts'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { clientIdSchema } from '../../protocol/names.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { ClientCredentials } from '../../protocol/token-request.ts'
import { type ClientSigner, clientSigners, signersInRecord } from '../registry/client-keys.ts'
import type { Client } from '../store/clients.ts'
import type { ReplayClaim } from '../store/replay.ts'
import { basicCredentials } from './basic-credentials.ts'
import type { PassContext } from './known-records.ts'
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
  ctx: PassContext,
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
  http.limitClient(client.client_id)
  return authenticated
}

async function byMethod(
  ctx: PassContext,
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
  ctx: PassContext,
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
      const client = (await ctx.known.client(client_id))?.client
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

async function byAssertion(ctx: PassContext, assertion: string): Promise<AuthenticatedClient> {
  const found = new Map<string, Client>()
  const { client_id, jti, jkt, expires_at } = await verifyClientAssertion(assertion, {
    issuer: ctx.config.issuer,
    now: epochSeconds(ctx.now()),
    notBefore: ctx.notBefore,
    async lookup(id, kid) {
      const client = (await ctx.known.client(id))?.client
      if (!client || (client.jwks === null && client.jwks_uri === null)) return undefined
      found.set(id, client)
      return { client_id: id, keys: await signersOf(ctx, client, kid) }
    },
  })
  const client = found.get(client_id)
  if (!client) throw refusal('unknown_client')
  ctx.known.relyOnLife({ kind: 'key', id: jkt })
  const claim: ReplayClaim = {
    kind: 'client_assertion',
    owner: client_id,
    jti,
    expires_at: new Date(expires_at * 1000),
  }
  return { client, method: 'private_key_jwt', claims: [claim] }
}

/**
 * From memory, a key of the record that was revoked may be among them: whoever signed by it is refused by the write, and
 * judged again by what the database says.
 */
async function signersOf(ctx: PassContext, client: Client, kid: string | undefined): Promise<readonly ClientSigner[]> {
  const kept = ctx.known.mayBeStale() ? await signersInRecord(client) : undefined
  return kept ?? (await clientSigners(ctx, client, kid))
}

/** An unknown client costs what a wrong secret costs: the same reads, the same comparison. */
async function bySecret(ctx: PassContext, client_id: string, client_secret: string): Promise<Client> {
  const digest = sha256(client_secret)
  const id = clientIdSchema.safeParse(client_id).data ?? ''
  const { client, secrets = [] } = (await ctx.known.client(id)) ?? {}
  const now = ctx.now()
  const valid = secrets.filter(({ expires_at }) => expires_at === null || expires_at > now)
  const digests = valid.map(secret => secret.secret_digest)
  const matches = (digests.length > 0 ? digests : [NOBODYS_DIGEST]).filter(known => timingSafeEqual(known, digest))
  if (client && matches.length > 0) return client
  throw refusal('client_or_secret')
}

function refusal(reason: string): OAuthError {
  return new OAuthError('invalid_client', 'Client authentication failed.', { reason })
}
