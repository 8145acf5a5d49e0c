import type { AccessTokenClaims } from '../protocol/claims.ts'
import { OAuthError } from '../protocol/errors.ts'
import { checkIssuerUrl } from '../protocol/issuer-url.ts'
import { checkNodeVersion } from '../protocol/node-version.ts'
import { rememberProofKeys } from '../protocol/proof-keys.ts'
import { SIGNING_ALGS } from '../protocol/resource.ts'
import { epochSeconds } from '../protocol/time.ts'
import { type KeySource, tokenReader } from './access-token.ts'
import { checkNonce, checkNonceKey } from './api-nonce.ts'
import { checkApprovedBody } from './approved-body.ts'
import { type Body, checkBody, readOnce, scopeOfCall } from './call-binding.ts'
import { type CheckedRule, checkRule, MAX_STALE } from './checked-rule.ts'
import { readCredentials } from './credentials.ts'
import { type RootKeys, verifyDelegationProofs } from './delegation-proofs.ts'
import { memoryReplayCache } from './memory-replay-cache.ts'
import { checkPossession, claimProof } from './possession.ts'
import type { Refusal } from './refusal.ts'
import { intentDenied, proofRefused } from './refused.ts'
import { remoteJwks } from './remote-jwks.ts'
import type { ReplayCache, UsedProof } from './replay-cache.ts'
import { resourceStatus } from './resource-status.ts'
import { checkRevocation } from './revocation-check.ts'
import type { RevocationSource } from './revocation-source.ts'
import type { RouteRule } from './route-rule.ts'
import { checkIntent, checkScope } from './rule-match.ts'

export type { KeySource } from './access-token.ts'
export type { UsedProof } from './replay-cache.ts'

export type VerifierOptions = {
  readonly issuer: string
  /** This resource's identifier, compared as an exact string. */
  readonly audience: string
  /** The keys that the issuer publishes unless told: then the issuer must be an https URL, or http on this machine. */
  readonly jwks?: KeySource
  /** Signature algorithms taken here; all of ours unless told. */
  readonly algorithms?: readonly string[]
  readonly now?: () => Date
  /** `optional` takes a `draft` token without a proof of its key (protocol.md section 8). */
  readonly draftPossession?: 'required' | 'optional'
  /**
   * Where used proofs are remembered: in memory unless told, which is enough for an API of one process. `caller`: whoever
   * calls claims `Verified.proof` itself.
   */
  readonly replayCache?: ReplayCache | 'caller'
  /** Knowledge of revocations; without one a revoked token counts until its `exp`. */
  readonly revocation?: RevocationSource
  /** Seconds that it may be old: 300 unless told. */
  readonly maxStale?: number
  /** Needed by rules with `proofs`. */
  readonly rootKeys?: RootKeys
  /** Random bytes, at least 32, the same on all nodes of the API: with them proofs need a nonce of it (RFC 9449 section 9). */
  readonly nonceKey?: Uint8Array
  /** Called once for each refusal; what it throws is ignored. */
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
  /**
   * The bytes of the body, none for a request without one: asked for at most once, after token and proof held, and only
   * where something names them. Where it is absent, what names a body is refused.
   */
  readonly body?: () => Promise<Uint8Array> | Uint8Array
}

export type Verified = {
  readonly claims: AccessTokenClaims
  /** Of the key that signed the token. */
  readonly kid: string
  readonly token_type: 'DPoP' | 'Bearer'
  readonly proof?: UsedProof
  /** What this call may use: the token's scope, narrowed by the proof's where it has one. */
  readonly scope: readonly string[]
  /** The body's digest, where the proof named it. */
  readonly bd?: string
  /** Subject names, root first, where the rule asked for proofs. */
  readonly chain?: readonly string[]
}

export type Verifier = {
  /** Throws `OAuthError`; without a rule any valid token will do. `TypeError` for a rule that says what cannot be. */
  readonly verify: (request: PresentedRequest, rule?: RouteRule) => Promise<Verified>
  /**
   * A further rule for a request that was verified: its proof counts once, so it cannot be verified twice. `body` is what
   * an approval is compared with. Throws as `verify` does.
   */
  readonly check: (verified: Verified, rule: RouteRule, request?: Pick<PresentedRequest, 'body'>) => Promise<Verified>
}

checkNodeVersion(process.versions.node)

/** Whose token it is, once that is known. */
type Known = { claims?: Pick<AccessTokenClaims, 'client_id' | 'jti'> }

const NO_RULE: RouteRule = {}

/**
 * The checks that every resource makes, in the order of protocol.md section 8: token, possession, call binding, route
 * rule, scope, revocation, proofs. Throws for options that would not protect.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, revocation, rootKeys, nonceKey } = options
  const { maxStale = MAX_STALE, draftPossession = 'required' } = options
  if (nonceKey) checkNonceKey(nonceKey)
  const now = options.now ?? (() => new Date())
  const seconds = () => epochSeconds(now())
  const jwks = options.jwks ?? publishedKeys(issuer, now)
  const readToken = tokenReader({ issuer, audience, jwks, algorithms: options.algorithms ?? SIGNING_ALGS })
  const replays = options.replayCache ?? memoryReplayCache({ now })
  const keys = rememberProofKeys()
  const rules = new WeakMap<RouteRule, CheckedRule>()
  /** What this verifier itself has answered: nothing else can be checked further. */
  const own = new WeakSet<Verified>()

  function checked(rule: RouteRule): CheckedRule {
    const known = rules.get(rule) ?? checkRule(rule, options)
    rules.set(rule, known)
    return known
  }

  async function judge(request: PresentedRequest, rule: CheckedRule, known: Known): Promise<Verified> {
    const credentials = readCredentials(request.authorization)
    const token = await readToken(credentials.token, seconds(), claims => {
      known.claims = claims
    })
    const { claims, kid } = token
    const proof = await checkPossession(token, credentials, request, { draftPossession, keys, now: seconds() })
    if (proof && nonceKey) checkNonce(nonceKey, proof.nonce, seconds())
    const used = proof && { jti: proof.jti, jkt: proof.jkt, iat: proof.iat, expires_at: proof.expires_at }
    if (used && replays !== 'caller') await claimProof(replays, used)
    const body = readOnce(request.body)
    await checkBody(proof, body, rule.boundBody)
    const scope = scopeOfCall(claims.scope, proof)
    const bd = proof?.bd === undefined ? {} : { bd: proof.bd }
    const token_type = proof ? 'DPoP' : 'Bearer'
    return await judgeRule({ claims, kid, token_type, ...(used && { proof: used }), scope, ...bd }, rule, body)
  }

  async function judgeRule(known: Verified, rule: CheckedRule, body: Body): Promise<Verified> {
    const { claims, kid, scope } = known
    checkIntent(rule, claims)
    if (rule.approval) await checkApprovedBody(claims, body)
    checkScope(rule, scope)
    if (revocation) {
      checkRevocation(revocation, { claims, kid }, { now: seconds(), maxStale: rule.maxStale ?? maxStale })
    }
    const verified = rule.proofs ? { ...known, chain: await provenChain(claims) } : known
    Object.freeze(verified.scope)
    own.add(Object.freeze(verified))
    return verified
  }

  async function provenChain(claims: AccessTokenClaims): Promise<readonly string[]> {
    // A rule with proofs is not read without the keys.
    const { chain, anchored } = await verifyDelegationProofs(claims, { issuer, rootKeys: rootKeys ?? (() => []), now })
    if (!anchored) throw intentDenied('proofs_unanchored')
    return chain
  }

  async function tell(error: OAuthError, { claims }: Known): Promise<void> {
    const whose = claims && { client_id: claims.client_id, jti: claims.jti }
    await options.onRefusal?.({ code: error.code, reason: error.reason, status: resourceStatus(error), ...whose })
  }

  async function told(known: Known, judged: () => Promise<Verified>): Promise<Verified> {
    try {
      return await judged()
    } catch (error) {
      // Whoever listens has no say in what is refused, and nobody waits for it.
      if (error instanceof OAuthError) void tell(error, known).catch(() => {})
      throw error
    }
  }

  return {
    async verify(request, rule = NO_RULE) {
      const asked = checked(rule)
      const known: Known = {}
      return await told(known, () => judge(request, asked, known))
    },
    async check(verified, rule, { body } = {}) {
      if (!own.has(verified)) throw new TypeError('Only what this verifier has verified can be checked further.')
      const asked = checked(rule)
      return await told({ claims: verified.claims }, async () => {
        if (asked.boundBody && verified.bd === undefined) throw proofRefused('bd_missing')
        return await judgeRule(verified, asked, readOnce(body))
      })
    },
  }
}

function publishedKeys(issuer: string, now: () => Date): KeySource {
  checkIssuerUrl(issuer)
  return remoteJwks(`${issuer}/.well-known/jwks.json`, { now })
}
