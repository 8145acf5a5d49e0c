import type { UsedProof } from './verify.ts'

/**
 * Where proofs that were used are remembered, by (jkt, jti) until `expires_at`. `claim` answers whether this is the first
 * time; of several at once exactly one is told so. What it throws is an outage: the call is refused, 503.
 */
export type ReplayCache = { readonly claim: (proof: UsedProof) => Promise<boolean> | boolean }
