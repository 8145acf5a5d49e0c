import type { DpopProof } from '../protocol/dpop.ts'

/** What a proof was made of, for its single use: (jkt, jti) until `expires_at`, in epoch seconds. */
export type UsedProof = Pick<DpopProof, 'jti' | 'jkt' | 'iat' | 'expires_at'>

/**
 * Where proofs that were used are remembered, by (jkt, jti) until `expires_at`. `claim` answers whether this is the first
 * time; of several at once exactly one is told so. What it throws is an outage: the call is refused, 503.
 */
export type ReplayCache = { readonly claim: (proof: UsedProof) => Promise<boolean> | boolean }
