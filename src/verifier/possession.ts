import { equalConstantTime, sha256Base64url } from '../protocol/digest.ts'
import { type DpopProof, verifyDpopProof } from '../protocol/dpop.ts'
import { OAuthError } from '../protocol/errors.ts'
import type { ProofKeys } from '../protocol/proof-keys.ts'
import type { AccessToken } from './access-token.ts'
import type { Credentials } from './credentials.ts'
import { proofRefused, tokenRefused } from './refused.ts'
import type { ReplayCache, UsedProof } from './replay-cache.ts'

export type PossessionRules = {
  readonly draftPossession: 'required' | 'optional'
  readonly keys: ProofKeys
  /** Epoch seconds. */
  readonly now: number
}

type Presented = { readonly dpop?: string | undefined; readonly method: string; readonly url: string }

/**
 * The proof of a bound token (RFC 9449 section 7.1, protocol.md section 8); undefined where none is due. Throws
 * `invalid_token`, `invalid_dpop_proof`.
 */
export async function checkPossession(
  { jkt, isDraft }: AccessToken,
  { scheme, token }: Credentials,
  { dpop, method, url }: Presented,
  { draftPossession, keys, now }: PossessionRules,
): Promise<DpopProof | undefined> {
  if (jkt === undefined) {
    if (scheme === 'DPoP') throw tokenRefused('token_not_bound')
    return undefined
  }
  if (!isDraft && scheme === 'Bearer') throw tokenRefused('bound_token_as_bearer')
  if (dpop === undefined) {
    if (isDraft && draftPossession === 'optional') return undefined
    throw tokenRefused('proof_missing')
  }
  const proof = await verifyDpopProof(dpop, { htm: method, htu: url, now, ath: sha256Base64url(token), keys })
  if (!equalConstantTime(proof.jkt, jkt)) throw tokenRefused('proof_by_another_key')
  return proof
}

/** The single use of a proof. Throws `invalid_dpop_proof`, and `temporarily_unavailable` where nobody can tell. */
export async function claimProof(cache: ReplayCache, proof: UsedProof): Promise<void> {
  let isFirst: unknown
  try {
    isFirst = await cache.claim(proof)
  } catch (cause) {
    throw new OAuthError('temporarily_unavailable', 'Whether the proof was used before cannot be told now.', {
      reason: 'replay_cache_unavailable',
      status: 503,
      cause,
    })
  }
  if (isFirst !== true) throw proofRefused('dpop_replayed')
}
