import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../protocol/claims.ts'
import { type CompactJws, parseCompactJws } from '../protocol/compact-jws.ts'
import { OAuthError } from '../protocol/errors.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { readTimes } from '../protocol/jwt-times.ts'
import { withKeyObject } from '../protocol/proof-keys.ts'
import { TOKEN_CLOCK_SKEW, TOKEN_LIFETIME_HARD_LIMIT } from '../protocol/time.ts'
import { isAcceptedTyp, verifyParsedJws } from '../protocol/verify-jws.ts'
import { tokenRefused } from './refused.ts'
import { rememberSignedTokens, type SignedToken, type TokenFrame } from './signed-tokens.ts'

/** Keys of the issuer as its JWKS shows them; asked for by the `kid` that is needed. */
export type KeySource = (kid: string) => Promise<readonly object[]> | readonly object[]

export type TokenRules = {
  readonly issuer: string
  readonly audience: string
  readonly jwks: KeySource
  readonly algorithms: readonly string[]
}

export type AccessToken = {
  readonly claims: AccessTokenClaims
  /** Of the key that signed it. */
  readonly kid: string
  /** Thumbprint of the key that it is bound to; undefined for none. */
  readonly jkt: string | undefined
  readonly isDraft: boolean
}

/** Called once the signature held: whose token it is can be told from then on. */
export type OnSigned = (claims: TokenFrame) => void

const MAX_ACT_DEPTH = 8
/** Judged before the rest: a token of another issuer, API or time is refused as such, whatever else is in it. */
const frameSchema = accessTokenClaimsSchema
  .pick({ iss: true, aud: true, client_id: true, exp: true, iat: true, jti: true })
  // Without it a wrong type would pass unread.
  .extend({ nbf: z.int().optional() })

/**
 * Makes the checks of the token itself (protocol.md section 8), `now` in epoch seconds. They throw `invalid_token`; what
 * `jwks` throws goes on.
 */
export function tokenReader(rules: TokenRules): (token: string, now: number, told: OnSigned) => Promise<AccessToken> {
  const imported = new WeakMap<object, Promise<KeyObject>>()
  const signed = rememberSignedTokens()

  async function keyFor({ header }: Pick<CompactJws, 'header'>): Promise<{ key: KeyObject; alg: string; kid: string }> {
    const { kid, alg } = header
    if (!rules.algorithms.includes(alg)) throw tokenRefused('token_alg')
    if (typeof kid !== 'string') throw tokenRefused('token_kid')
    for (const jwk of await rules.jwks(kid)) {
      if (!('kid' in jwk && 'alg' in jwk) || jwk.kid !== kid) continue
      if (jwk.alg !== alg) throw tokenRefused('token_alg')
      const key = imported.get(jwk) ?? importIssuerKey(jwk)
      imported.set(jwk, key)
      return { key: await key, alg, kid }
    }
    throw tokenRefused('token_kid')
  }

  async function isStillKey({ jws, key }: SignedToken): Promise<boolean> {
    return (await keyFor(jws)).key === key
  }

  async function readSigned(token: string): Promise<SignedToken> {
    const jws = parseCompactJws(token)
    const { key, alg, kid } = await keyFor(jws)
    await verifyParsedJws(jws, key, { alg, typ: ['at+jwt', 'JWT'] })
    const { data: frame } = frameSchema.safeParse(jws.payload)
    if (!frame) throw tokenRefused('token_claims')
    const { data: claims } = accessTokenClaimsSchema.safeParse(jws.payload)
    return signed.keep(token, { jws, frame, claims, key, kid })
  }

  async function read(token: string, now: number, told: OnSigned): Promise<AccessToken> {
    const known = signed.find(token)
    const { jws, frame, claims, kid } = known && (await isStillKey(known)) ? known : await readSigned(token)
    told(frame)
    if (frame.iss !== rules.issuer) throw tokenRefused('token_iss')
    if (frame.aud !== rules.audience) throw tokenRefused('token_aud')
    readTimes(jws.payload, {
      now,
      maxLifetime: TOKEN_LIFETIME_HARD_LIMIT,
      skew: TOKEN_CLOCK_SKEW,
      expGrace: TOKEN_CLOCK_SKEW,
    })
    if (!claims) throw tokenRefused('token_claims')
    const isDraft = isDraftProfile(claims)
    if (isAcceptedTyp(jws.header.typ, { typ: ['JWT'] }) !== isDraft) throw tokenRefused('token_profile')
    if (actDepth(claims.act) > MAX_ACT_DEPTH) throw tokenRefused('token_act_depth')
    return { claims, kid, jkt: await boundKey(claims), isDraft }
  }

  return async (token, now, told) => {
    try {
      return await read(token, now, told)
    } catch (cause) {
      // Whatever was wrong with the token is one code for its sender; the reason stays.
      if (!(cause instanceof OAuthError) || cause.code !== 'invalid_request') throw cause
      throw tokenRefused(cause.reason, cause)
    }
  }
}

async function importIssuerKey(jwk: object): Promise<KeyObject> {
  return withKeyObject(await importPublicJwk(jwk)).key
}

/** A `draft` token has `cnf.jwk` and no `sub_profile` (protocol.md section 7); one token never mixes the profiles. */
function isDraftProfile({ cnf, sub_profile }: AccessTokenClaims): boolean {
  if (cnf !== undefined) return 'jwk' in cnf
  return sub_profile === undefined
}

async function boundKey({ cnf }: AccessTokenClaims): Promise<string | undefined> {
  if (cnf === undefined) return undefined
  return 'jkt' in cnf ? cnf.jkt : (await importPublicJwk(cnf.jwk)).jkt
}

function actDepth(act: unknown): number {
  let depth = 0
  let inner = act
  while (typeof inner === 'object' && inner !== null && 'act' in inner) {
    depth += 1
    inner = inner.act
  }
  return inner === undefined ? depth : depth + 1
}
