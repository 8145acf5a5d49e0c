import { OAuthError } from '../../protocol/errors.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import { JWKS_COOLDOWN } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { TrustedIssuer } from '../store/trusted-issuers.ts'
import { type ClientKey, isOurs, tryJwksUri, withoutRevoked } from './client-keys.ts'

/**
 * The keys a trusted issuer signs with now: those of its record, or those behind its `jwks_uri`, asked for again where
 * none has the `kid` that is looked for. Never ours, never a revoked one. Throws `temporarily_unavailable` where they
 * cannot be fetched and none are kept.
 */
export async function issuerKeys(ctx: Context, record: TrustedIssuer, kid?: string): Promise<readonly ClientKey[]> {
  const { name, jwks, jwks_uri } = record
  const keys =
    jwks_uri === null ? await parseJwks(jwks) : await ctx.remoteKeys.find(issuerCacheName(name), jwks_uri, kid)
  if (keys) {
    return await withoutRevoked(
      ctx,
      keys.filter(key => !isOurs(ctx, key)),
    )
  }
  throw new OAuthError('temporarily_unavailable', 'The keys of the issuer cannot be fetched now; try again later.', {
    reason: 'issuer_keys_unavailable',
    status: 503,
    retry_after: JWKS_COOLDOWN,
  })
}

/**
 * Fetches the `jwks_uri` of an issuer before it is written into a record, outside any transaction.
 * @returns what is wrong with it, for the act to throw, or undefined
 */
export async function tryIssuerKeys(ctx: Context, jwks_uri: string | undefined): Promise<Problem | undefined> {
  const problem = await tryJwksUri(ctx, jwks_uri)
  return problem && new Problem('invalid_request', problem.message, problem.reason)
}

/** No client_id has a colon: a client and an issuer of one name and one URL are two entries. */
function issuerCacheName(name: string): string {
  return `issuer:${name}`
}
