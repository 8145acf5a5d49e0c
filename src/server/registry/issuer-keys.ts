import { OAuthError } from '../../protocol/errors.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import { JWKS_COOLDOWN } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { latestRevocations } from '../store/revocations.ts'
import type { TrustedIssuer } from '../store/trusted-issuers.ts'
import { type ClientKey, isOurs, tryJwksUri, withoutRevoked } from './client-keys.ts'

/**
 * The keys a trusted issuer signs with now: those of its record, or those behind its `jwks_uri`, asked for again where
 * none has the `kid` that is looked for. Never ours, never a revoked one: none while its entry stands, and of published
 * ones, which we cannot take away, none while its entry is kept. Throws `temporarily_unavailable` where they cannot be
 * fetched and none are kept.
 */
export async function issuerKeys(ctx: Context, record: TrustedIssuer, kid?: string): Promise<readonly ClientKey[]> {
  const { name, jwks, jwks_uri } = record
  if (jwks_uri === null) return await withoutRevoked(ctx, notOurs(ctx, await storedKeys(jwks)))
  const keys = await ctx.remoteKeys.find(issuerCacheName(name), jwks_uri, kid)
  if (keys) {
    const jkts = keys.map(key => key.jkt)
    const revoked = await latestRevocations(ctx, 'key', jkts)
    return notOurs(ctx, keys).filter(key => !revoked.has(key.jkt))
  }
  throw new OAuthError('temporarily_unavailable', 'The keys of the issuer cannot be fetched now; try again later.', {
    reason: 'issuer_keys_unavailable',
    status: 503,
    retry_after: JWKS_COOLDOWN,
  })
}

/** None where the last one was revoked. */
async function storedKeys(jwks: TrustedIssuer['jwks']): Promise<readonly ClientKey[]> {
  return jwks?.keys.length === 0 ? [] : await parseJwks(jwks)
}

function notOurs(ctx: Context, keys: readonly ClientKey[]): readonly ClientKey[] {
  return keys.filter(key => !isOurs(ctx, key))
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
