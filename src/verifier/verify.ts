import { calculateJwkThumbprint } from 'jose'
import { z } from 'zod'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../protocol/claims.ts'
import { type CompactJws, parseCompactJws } from '../protocol/compact-jws.ts'
import { equalConstantTime, sha256Base64url } from '../protocol/digest.ts'
import { type DpopProof, verifyDpopProof } from '../protocol/dpop.ts'
import { OAuthError } from '../protocol/errors.ts'
import { importPublicJwk, type PublicKey } from '../protocol/jwk.ts'
import { readTimes } from '../protocol/jwt-times.ts'
import { SIGNING_ALGS } from '../protocol/resource.ts'
import { epochSeconds, TOKEN_CLOCK_SKEW, TOKEN_LIFETIME_HARD_LIMIT } from '../protocol/time.ts'
import { isAcceptedTyp, verifyCompactJws } from '../protocol/verify-jws.ts'
import { readCredentials } from './credentials.ts'
import type { RootKeys } from './delegation-proofs.ts'
import type { Refusal } from './refusal.ts'
import type { ReplayCache } from './replay-cache.ts'
import type { RevocationSource } from './revocation-source.ts'
import type { RouteRule } from './route-rule.ts'

/** Keys of the issuer as its JWKS shows them; asked for by the `kid` that is needed. */
export type KeySource = (kid: string) => Promise<readonly object[]> | readonly object[]

export type VerifierOptions = {
  readonly issuer: string
  /** This resource's identifier, compared as an exact string. */
  readonly audience: string
  /** The issuer's published keys unless told. */
  readonly jwks: KeySource
  /** Signature algorithms taken here; all of ours unless told. */
  readonly algorithms?: readonly string[]
  readonly now?: () => Date
  /** `optional` takes a `draft` token without a proof of its key (protocol.md section 8). */
  readonly draftPossession?: 'required' | 'optional'
  /** Where used proofs are remembered: in memory unless told. `caller`: whoever calls claims `Verified.proof` itself. */
  readonly replayCache?: ReplayCache | 'caller'
  /** Knowledge of revocations; without one a revoked token counts until its `exp`. */
  readonly revocation?: RevocationSource
  /** Seconds that it may be old: 300 unless told. */
  readonly maxStale?: number
  /** Needed by rules with `proofs`. */
  readonly rootKeys?: RootKeys
  /** Called for each refusal; what it throws is ignored. */
  readonly onRefusal?: (refusal: Refusal) => void
}

export type PresentedRequest = {
  /** The Authorization header as it came. */
  readonly authorization?: string | undefined
  /** The DPoP header as it came. */
  readonly dpop?: string | undefined
  readonly method: string
  /** The URL under which clients know this resource: from configuration, never from a Host header. */
  readonly url: string
  /** The bytes of the body: asked for at most once, after token and proof held, and only where something names them. */
  readonly body?: () => Promise<Uint8Array> | Uint8Array
}

/** What a proof was made of, for its single use: (jkt, jti) until `expires_at`, in epoch seconds. */
export type UsedProof = Pick<DpopProof, 'jti' | 'jkt' | 'iat' | 'expires_at'>

export type Verified = {
  readonly claims: AccessTokenClaims
  /** Of the key that signed the token. */
  readonly kid: string
  readonly token_type: 'DPoP' | 'Bearer'
  readonly proof?: UsedProof
  /** What this call may use: the token's scope, narrowed by the proof's where it has one. */
  readonly scope: readonly string[]
  /** Subject names, root first, where the rule asked for proofs. */
  readonly chain?: readonly string[]
}

export type Verifier = {
  /** Throws `OAuthError`; without a rule any valid token will do. */
  readonly verify: (request: PresentedRequest, rule?: RouteRule) => Promise<Verified>
}

const MAX_ACT_DEPTH = 8
const jwksKeySchema = z.looseObject({ kid: z.string(), alg: z.enum(SIGNING_ALGS) })
/** Without `nbf` the claims' own schema would let a wrong type of it pass unread. */
const claimsSchema = accessTokenClaimsSchema.extend({ nbf: z.int().optional() })

/** The checks that every resource makes of a token and its proof, in the order of protocol.md section 8. */
export function createVerifier(options: VerifierOptions): Verifier {
  const now = options.now ?? (() => new Date())
  const algorithms = options.algorithms ?? SIGNING_ALGS
  const imported = new WeakMap<object, Promise<PublicKey>>()

  async function keyFor(jws: CompactJws): Promise<PublicKey & { alg: string; kid: string }> {
    const { kid, alg } = jws.header
    if (!algorithms.includes(alg)) throw tokenRefused('token_alg')
    if (typeof kid !== 'string') throw tokenRefused('token_kid')
    for (const jwk of await options.jwks(kid)) {
      const listed = jwksKeySchema.safeParse(jwk)
      if (listed.data?.kid !== kid) continue
      if (listed.data.alg !== alg) throw tokenRefused('token_alg')
      const key = imported.get(jwk) ?? importPublicJwk(jwk)
      imported.set(jwk, key)
      return { ...(await key), alg, kid }
    }
    throw tokenRefused('token_kid')
  }

  async function readToken(token: string): Promise<{ claims: AccessTokenClaims; kid: string }> {
    const jws = parseCompactJws(token)
    const { jwk, alg, kid } = await keyFor(jws)
    await verifyCompactJws(token, jwk, { alg, typ: ['at+jwt', 'JWT'] })
    const parsed = claimsSchema.safeParse(jws.payload)
    if (!parsed.success) throw tokenRefused('token_claims')
    const claims = parsed.data
    if (isAcceptedTyp(jws.header.typ, { typ: ['JWT'] }) !== isDraftProfile(claims)) throw tokenRefused('token_profile')
    if (claims.iss !== options.issuer) throw tokenRefused('token_iss')
    if (claims.aud !== options.audience) throw tokenRefused('token_aud')
    readTimes(jws.payload, {
      now: epochSeconds(now()),
      maxLifetime: TOKEN_LIFETIME_HARD_LIMIT,
      skew: TOKEN_CLOCK_SKEW,
      expGrace: TOKEN_CLOCK_SKEW,
    })
    if (actDepth(claims.act) > MAX_ACT_DEPTH) throw tokenRefused('token_act_depth')
    return { claims, kid }
  }

  async function verify(request: PresentedRequest): Promise<Verified> {
    const { scheme, token } = readCredentials(request.authorization)
    const { claims, kid } = await asTokenError(() => readToken(token))
    const jkt = await asTokenError(() => boundKey(claims))
    if (jkt === undefined) {
      if (scheme === 'DPoP') throw tokenRefused('token_not_bound')
      return { claims, kid, token_type: 'Bearer' }
    }
    const isDraft = isDraftProfile(claims)
    if (!isDraft && scheme === 'Bearer') throw tokenRefused('bound_token_as_bearer')
    if (request.dpop === undefined) {
      if (isDraft && options.draftPossession === 'optional') return { claims, kid, token_type: 'Bearer' }
      throw tokenRefused('proof_missing')
    }
    const proof = await verifyDpopProof(request.dpop, {
      htm: request.method,
      htu: request.url,
      now: epochSeconds(now()),
      ath: sha256Base64url(token),
    })
    if (!equalConstantTime(proof.jkt, jkt)) throw tokenRefused('proof_by_another_key')
    const { jti, iat, expires_at } = proof
    return { claims, kid, token_type: 'DPoP', proof: { jti, jkt, iat, expires_at } }
  }

  return { verify }
}

/** A `draft` token has `cnf.jwk` and no `sub_profile` (protocol.md section 7); one token never mixes the profiles. */
function isDraftProfile({ cnf, sub_profile }: AccessTokenClaims): boolean {
  if (cnf !== undefined) return 'jwk' in cnf
  return sub_profile === undefined
}

/** Thumbprint of the key a token is bound to; undefined for none. */
async function boundKey({ cnf }: AccessTokenClaims): Promise<string | undefined> {
  if (cnf === undefined) return undefined
  return 'jkt' in cnf ? cnf.jkt : await calculateJwkThumbprint((await importPublicJwk(cnf.jwk)).jwk)
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

/** Whatever was wrong with the token is one code for its sender; the reason stays. */
async function asTokenError<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code !== 'invalid_request') throw cause
    throw tokenRefused(cause.reason, cause)
  }
}

function tokenRefused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_token', 'The access token is not valid for this request.', { reason, cause })
}
