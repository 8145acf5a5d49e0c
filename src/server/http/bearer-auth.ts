import type { FastifyRequest } from 'fastify'
import type { AccessTokenClaims } from '../../protocol/claims.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { Problem } from '../../protocol/problem.ts'
import { createVerifier, type Verified, type Verifier } from '../../verifier/verify.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { standingAccess, standingScope } from '../registry/standing-rights.ts'
import { type Client, findClient } from '../store/clients.ts'
import { revocationRefs, standingRevocation } from '../store/revocations.ts'
import type { App } from './app-type.ts'
import { authenticateSession } from './console/session-auth.ts'
import { readSessionCookie } from './console/session-cookie.ts'
import { publicUrl } from './own-urls.ts'
import type { Permission } from './permission.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller?: Caller | undefined
    /** Set once the request is in the hands of its route: from there on acts record their own refusals. */
    heard: boolean
  }
}

type TokenPermission = Exclude<Permission, string>
type Verifiers = { readonly issuer: Verifier; readonly admin: Verifier }

/**
 * Deny by default: before a body is read, a request to a route that demands a token is refused without a good one, and
 * one to a route that declares nothing is always refused (attacks.md 106, 118).
 */
export function authenticateCallers(app: App, ctx: Context): void {
  const verifiers = { issuer: verifierOf(ctx, 'issuer'), admin: verifierOf(ctx, 'admin') }
  app.decorateRequest('caller')
  app.decorateRequest('heard', false)
  app.addHook('preHandler', async request => {
    request.heard = true
  })
  app.addHook('onRequest', async request => {
    if (request.is404) return
    const { permission } = request.routeOptions.config
    if (permission === undefined) throw new Error('A route without a permission was reached.')
    if (typeof permission === 'object') request.caller = await authenticate(ctx, verifiers, request, permission)
  })
}

/** The authenticated caller of a guarded route. Throws on a route that demands no token: that is a bug. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === undefined) throw new Error('The route has no caller.')
  return request.caller
}

/**
 * Makes the check of a Bearer token that stands for its client at the token endpoints (protocol.md section 6). It throws
 * `invalid_token`.
 */
export function bearerClientVerifier(ctx: Context): (token: string) => Promise<{ client_id: string }> {
  const verifier = verifierOf(ctx, 'issuer')
  const url = `${ctx.config.issuer}/intent/token`
  return async token => {
    const verified = await verifier.verify({ authorization: `Bearer ${token}`, method: 'POST', url })
    const { client_id, sub, scope } = verified.claims
    if (!isClientLevel(verified.claims) || sub !== client_id) throw refusal('not_a_client_token')
    const client = await activeClient(ctx, verified.claims)
    const standing = standingScope(client, ctx.config.issuer, scope)
    if (!standing.includes('generate:intent-token')) throw refusal('token_scope')
    await refuseRevoked(ctx, verified)
    return { client_id }
  }
}

async function authenticate(
  ctx: Context,
  verifiers: Verifiers,
  request: FastifyRequest,
  permission: TokenPermission,
): Promise<Caller> {
  const secret = permission.audience === 'admin' ? readSessionCookie(request, ctx.config.adminUrl) : undefined
  const caller =
    secret === undefined
      ? await callerByToken(ctx, verifiers, request, permission)
      : await callerBySession(ctx, request, secret)
  if (permission.scope === 'any' ? caller.scope.length > 0 : caller.scope.includes(permission.scope)) return caller
  // Whoever asks for too much is known, and recorded as such.
  request.caller = caller
  throw new OAuthError('insufficient_scope', 'The access token lacks the scope that this endpoint needs.')
}

/** Which of two credentials counts must not be a guess. */
async function callerBySession(ctx: Context, request: FastifyRequest, secret: string): Promise<Caller> {
  if (request.raw.headers.authorization === undefined) return (await authenticateSession(ctx, request, secret)).caller
  throw new Problem('invalid_request', 'Send an access token or the console cookie, not both.', 'two_credentials')
}

async function callerByToken(
  ctx: Context,
  verifiers: Verifiers,
  request: FastifyRequest,
  permission: TokenPermission,
): Promise<Caller> {
  const { authorization, dpop } = request.raw.headers
  const base = permission.audience === 'admin' ? ctx.config.adminUrl : ctx.config.issuer
  const verified = await verifiers[permission.audience].verify({
    authorization,
    dpop: typeof dpop === 'string' ? dpop : undefined,
    method: request.method,
    url: publicUrl(base, request.raw.url ?? ''),
  })
  if (!isClientLevel(verified.claims)) throw refusal('not_a_client_token')
  const client = await activeClient(ctx, verified.claims)
  await refuseRevoked(ctx, verified)
  // Administration goes on, whatever a client of its own name does elsewhere.
  if (permission.audience === 'issuer') {
    ctx.limits.client(client.client_id, { endpoint: request.routeOptions.url ?? '', address: request.ip })
  }
  if (permission.audience === 'admin' && !verified.proof && !client.policies.allow_bearer_admin) {
    throw refusal('admin_token_not_bound')
  }
  const audience = permission.audience === 'admin' ? ctx.config.adminAudience : ctx.config.issuer
  return readCaller(request, verified, client, standingScope(client, audience, verified.claims.scope))
}

/**
 * The client of a token, as it is now, with what the token's subject can have by it. Throws `invalid_token` where it could
 * not ask for that token any more.
 */
async function activeClient(ctx: Context, { client_id, sub, jti, iat }: AccessTokenClaims): Promise<Client> {
  const client = await findClient(ctx, client_id)
  if (client?.status !== 'active') throw refusal('client_not_active')
  const access = await standingAccess(ctx, client, sub, { jti, iat })
  if (!access) throw refusal('grant_taken_away')
  return { ...client, access }
}

function readCaller(
  request: FastifyRequest,
  { claims, proof }: Verified,
  client: Client,
  scope: readonly string[],
): Caller {
  return {
    client_id: client.client_id,
    sub: claims.sub,
    acting_owner: claims.sub.startsWith('user:') ? claims.sub : client.owner,
    scope,
    registers_for: client.registers_for,
    jti: claims.jti,
    ...(proof && {
      proof: { kind: 'dpop', owner: proof.jkt, jti: proof.jti, expires_at: new Date(proof.expires_at * 1000) },
    }),
    request_id: request.id,
    address: request.ip,
  }
}

/** A client's own token, or a person's who uses it; never an agent's (protocol.md section 2). */
function isClientLevel({ client_id, sub, act, intent, agent_proof }: AccessTokenClaims): boolean {
  if (act !== undefined || intent !== undefined || agent_proof !== undefined) return false
  return sub === client_id || sub.startsWith('user:')
}

/** Every entry that could match a client-level token (protocol.md section 9), and what a restore has forgotten. */
async function refuseRevoked(ctx: Context, { claims, kid, proof }: Verified): Promise<void> {
  if (claims.iat < ctx.notBefore) throw refusal('token_before_epoch')
  if (proof && proof.iat < ctx.notBefore) {
    throw new OAuthError('invalid_dpop_proof', 'The DPoP proof is not valid for this request.', {
      reason: 'iat_before_epoch',
    })
  }
  const { jti, client_id, sub } = claims
  const none = { agent_id: null, registration_id: null, initiated_by: null, execution_id: null }
  const refs = revocationRefs({ jti, client_id, sub, kid, jkt: proof?.jkt ?? null, ...none })
  if (await standingRevocation(ctx, refs, ctx.now())) throw refusal('token_revoked')
}

function verifierOf(ctx: Context, audience: TokenPermission['audience']): Verifier {
  return createVerifier({
    issuer: ctx.config.issuer,
    audience: audience === 'admin' ? ctx.config.adminAudience : ctx.config.issuer,
    jwks: () => ctx.keys.published(),
    now: ctx.now,
    // Claimed in the database, together with the act.
    replayCache: 'caller',
  })
}

function refusal(reason: string): OAuthError {
  return new OAuthError('invalid_token', 'The access token is not valid for this request.', { reason })
}
