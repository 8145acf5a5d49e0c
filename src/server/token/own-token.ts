import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../protocol/claims.ts'
import { parseCompactJws } from '../../protocol/compact-jws.ts'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { rememberLast } from '../../protocol/remember-last.ts'
import { epochSeconds } from '../../protocol/time.ts'
import { verifyCompactJws } from '../../protocol/verify-jws.ts'
import type { Context } from '../context.ts'
import type { Verifier } from '../keys/keyring.ts'
import { findToken, type TokenRow } from '../store/tokens.ts'

/** A token that we signed, recorded and that has not expired. Whether it was revoked is another question. */
export type OwnToken = { readonly claims: AccessTokenClaims; readonly record: TokenRow }

/** Reads a presented token; undefined for everything that is not a live one of ours. Storage trouble throws. */
export async function readOwnToken(ctx: Context, token: string): Promise<OwnToken | undefined> {
  const claims = await verifiedClaims(ctx, token)
  return claims && claims.exp > epochSeconds(ctx.now()) ? await recorded(ctx, claims) : undefined
}

/** As `readOwnToken`, and one of an agent that has expired: what was delegated from it may live on. */
export async function readRevocableToken(ctx: Context, token: string): Promise<OwnToken | undefined> {
  const claims = await verifiedClaims(ctx, token)
  const own = claims && (await recorded(ctx, claims))
  return own && (own.record.agent_id !== null || own.claims.exp > epochSeconds(ctx.now())) ? own : undefined
}

async function recorded(ctx: Context, claims: AccessTokenClaims): Promise<OwnToken | undefined> {
  if (claims.iss !== ctx.config.issuer) return undefined
  const record = await findToken(ctx, claims.jti)
  return record?.client_id === claims.client_id ? { claims, record } : undefined
}

/** What held once by a key holds again: of the same text the same claims (RFC 7515 section 5.2). */
async function readOnce(token: string, { alg, key }: Verifier): Promise<AccessTokenClaims | undefined> {
  const known = read.get(key) ?? new Map<string, AccessTokenClaims>()
  read.set(key, known)
  const digest = sha256(token).toString('base64url')
  const claims = known.get(digest)
  if (claims) return claims
  const { payload } = await verifyCompactJws(token, key, { alg, typ: ['at+jwt', 'JWT'] })
  const parsed = accessTokenClaimsSchema.safeParse(payload).data
  if (parsed) rememberLast(known, digest, parsed, MOST_READ)
  return parsed
}

const MOST_READ = 4096
const read = new WeakMap<CryptoKey, Map<string, AccessTokenClaims>>()

async function verifiedClaims(ctx: Context, token: string): Promise<AccessTokenClaims | undefined> {
  try {
    const { kid } = parseCompactJws(token).header
    const verifier = typeof kid === 'string' ? await ctx.keys.verifier(kid) : undefined
    return verifier && (await readOnce(token, verifier))
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}
