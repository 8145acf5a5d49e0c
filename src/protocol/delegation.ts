import { z } from 'zod'
import { parseCompactJws } from './compact-jws.ts'
import { sha256Base64url } from './digest.ts'
import { OAuthError } from './errors.ts'
import type { PublicJwk } from './jwk.ts'
import { isSoleAudience, JTI } from './jwt-claims.ts'
import { integerClaim } from './jwt-times.ts'
import { stepIdSchema, subjectNameSchema } from './names.ts'
import { importProofKey } from './proof-keys.ts'
import { splitScope } from './scope.ts'
import { verifyParsedJws } from './verify-jws.ts'

/** The kind of a delegation assertion (protocol.md section 6). */
export const DELEGATION_TYP = 'delegation+jwt'

/** Most hops of a chain; the root has none above it. */
export const MAX_HOPS = 5

/** Most hops that a token shows with their proofs (protocol.md section 7). */
export const MAX_PROOFS = 3

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/

/** The claims of an assertion; times in epoch seconds. `iss` and `sub` are subject names of agents. */
export type DelegationClaims = {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly parent_jti: string
  /** Digest of the assertion under which the parent token was minted; absent where there was none. */
  readonly prev?: string
  /** Thumbprint of the delegate's key. */
  readonly jkt: string
  readonly scope: string
  readonly resource: readonly [string]
  /** Absent: the parent's. */
  readonly workflow_step?: string
  readonly execution_id?: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
}

/** An assertion whose form and signature hold; whether it is in time, and of whom, is for others to judge. */
export type Delegation = DelegationClaims & {
  /** What `prev` of the next hop names: base64url SHA-256 of the ASCII of the assertion. */
  readonly digest: string
  /** The key that signed, from the header, and its thumbprint. */
  readonly signer: { readonly jwk: PublicJwk; readonly jkt: string }
  readonly scopes: readonly string[]
}

const claimsSchema = z.object({
  iss: subjectNameSchema,
  sub: subjectNameSchema,
  parent_jti: z.string().regex(JTI),
  prev: z.string().regex(THUMBPRINT).optional(),
  jkt: z.string().regex(THUMBPRINT),
  scope: z.string().max(4096),
  resource: z.tuple([z.string().min(1).max(2048)]),
  workflow_step: stepIdSchema.optional(),
  execution_id: z.string().min(1).max(64).optional(),
  jti: z.string().regex(JTI),
})

/** base64url SHA-256 of an assertion: its name in our records and in `prev`. */
export function delegationDigest(assertion: string): string {
  return sha256Base64url(assertion)
}

/**
 * Checks an assertion by the key in its own header: strict form, `typ`, an algorithm of that key, its signature, its
 * claims and their types, our issuer as sole audience. Says nothing of time, of who may delegate, or of the chain.
 * Throws `delegation_unauthorized` with one text for every cause.
 */
export async function verifyDelegation(assertion: string, issuer: string): Promise<Delegation> {
  try {
    return await verify(assertion, issuer)
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code !== 'invalid_request') throw cause
    throw delegationRefused(cause.reason, cause)
  }
}

/** One refusal for whatever a delegation lacks: `reason` is for the audit trail alone. */
export function delegationRefused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('delegation_unauthorized', 'The delegation does not allow this token.', { reason, cause })
}

async function verify(assertion: string, issuer: string): Promise<Delegation> {
  const jws = parseCompactJws(assertion)
  const { payload } = jws
  const { alg } = jws.header
  // The key is the sender's own: whose it is, is decided by its thumbprint (attacks.md 6).
  const { jwk, jkt, algs, key } = await importProofKey(jws)
  if (!algs.includes(alg)) throw delegationRefused('jws_alg')
  await verifyParsedJws(jws, key, { alg, typ: [DELEGATION_TYP], allowEmbeddedJwk: true })
  if (!isSoleAudience(payload.aud, issuer)) throw delegationRefused('delegation_audience')
  const read = claimsSchema.safeParse(payload)
  const iat = integerClaim(payload, 'iat')
  const exp = integerClaim(payload, 'exp')
  if (!read.success || iat === undefined || exp === undefined || exp <= iat) {
    throw delegationRefused('delegation_claims')
  }
  const { prev, workflow_step, execution_id, ...claims } = read.data
  const scopes = splitScope(claims.scope)
  if (!scopes) throw delegationRefused('delegation_scope_malformed')
  return {
    ...claims,
    aud: issuer,
    iat,
    exp,
    ...(prev !== undefined && { prev }),
    ...(workflow_step !== undefined && { workflow_step }),
    ...(execution_id !== undefined && { execution_id }),
    digest: delegationDigest(assertion),
    signer: { jwk, jkt },
    scopes,
  }
}
