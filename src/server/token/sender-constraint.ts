import { equalConstantTime } from '../../protocol/digest.ts'
import { type DpopProof, verifyDpopProof } from '../../protocol/dpop.ts'
import { isValidNonce } from '../../protocol/dpop-nonce.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { rememberProofKeys } from '../../protocol/proof-keys.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { ReplayClaim } from '../store/replay.ts'
import type { TokenHttp } from './token-http.ts'

/** As many agents as are at work at a node. */
const PROOF_KEYS = 4096
const keys = rememberProofKeys(PROOF_KEYS)

/**
 * The key the caller proved to hold, if any: form, signature, freshness and a nonce that is sent (RFC 9449 section 5;
 * row 2 of protocol.md section 6). Single use is claimed in the request's one write. Throws `invalid_dpop_proof`,
 * `use_dpop_nonce`.
 */
export async function senderConstraint(ctx: Context, http: TokenHttp): Promise<DpopProof | undefined> {
  if (http.dpop === undefined) return undefined
  const now = epochSeconds(ctx.now())
  const proof = await verifyDpopProof(http.dpop, { htm: 'POST', htu: http.htu, now, notBefore: ctx.notBefore, keys })
  // Nobody on the way changes what a caller asks for, where the caller's proof names it.
  if (proof.bd !== undefined && !equalConstantTime(proof.bd, http.bodyDigest)) {
    throw new OAuthError('invalid_dpop_proof', 'The proof names another body.', { reason: 'bd_mismatch' })
  }
  if (proof.nonce !== undefined && !isValidNonce(ctx.keys.dpopNonceKey, proof.nonce, now)) {
    throw new OAuthError(
      'use_dpop_nonce',
      'The nonce is not a current one; repeat with the DPoP-Nonce of this answer.',
      {
        reason: 'dpop_nonce_not_current',
      },
    )
  }
  if (ctx.keys.published().some(key => key.kid === proof.jkt)) {
    throw new OAuthError('invalid_dpop_proof', 'The proof must be signed by a key of the caller.', {
      reason: 'server_key_in_proof',
    })
  }
  return proof
}

export function proofClaim(proof: DpopProof): ReplayClaim {
  return { kind: 'dpop', owner: proof.jkt, jti: proof.jti, expires_at: new Date(proof.expires_at * 1000) }
}
