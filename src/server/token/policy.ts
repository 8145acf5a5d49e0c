import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { epochSeconds, TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_HARD_LIMIT } from '../../protocol/time.ts'
import type { Authorization, Permitted } from './authorization.ts'

/**
 * Applies the policies of client and resource to what a grant proved: lifetime, and whether the token may go unbound
 * (protocol.md sections 3, 6 and 7). Only narrows. Throws `invalid_dpop_proof` where a proof is due.
 */
export function applyPolicy(proven: Authorization, proof: DpopProof | undefined, now: Date): Permitted {
  const { target } = proven
  const lifetime = lifetimeOf(proven, now)
  if (proof) {
    const confirmation = target.token_profile === 'draft' ? { jwk: { ...proof.jwk } } : { jkt: proof.jkt }
    return { ...proven, lifetime, token_type: 'DPoP', confirmation, jkt: proof.jkt }
  }
  const registered = proven.agent?.registered_key
  if (target.token_profile === 'draft' && registered) {
    return {
      ...proven,
      lifetime,
      token_type: 'Bearer',
      confirmation: { jwk: { ...registered.jwk } },
      jkt: registered.jkt,
    }
  }
  if (!mayGoUnbound(proven)) {
    throw new OAuthError('invalid_dpop_proof', 'A DPoP proof is required for this token; send one.', {
      reason: 'proof_required',
    })
  }
  return { ...proven, lifetime: Math.min(lifetime, TOKEN_LIFETIME_DEFAULT), token_type: 'Bearer' }
}

/** Never past what the token rests on: a foreign token, a delegation, an execution. */
function lifetimeOf({ target, not_after }: Authorization, now: Date): number {
  const longest = Math.min(target.max_token_lifetime, TOKEN_LIFETIME_HARD_LIMIT)
  if (!not_after) return longest
  const left = epochSeconds(not_after) - epochSeconds(now)
  if (left < 1) {
    throw new OAuthError('temporarily_unavailable', 'What this token would rest on has just ended; begin anew.', {
      reason: 'ended_meanwhile',
      retry_after: 1,
    })
  }
  return Math.min(longest, left)
}

function mayGoUnbound({ target, client }: Authorization): boolean {
  switch (target.kind) {
    case 'issuer':
      return true
    case 'admin':
      return client.policies.allow_bearer_admin
    case 'registered':
      return target.allow_bearer && client.policies.allow_bearer
  }
}
