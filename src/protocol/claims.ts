import { z } from 'zod'

/**
 * Claims of our access tokens: RFC 9068 section 2.2 plus `intent` and `agent_proof` of the draft (protocol.md
 * section 7). `state` and `key` say how much of it the server knows itself.
 */
export const intentSchema = z.object({
  workflow_id: z.string().optional(),
  workflow_step: z.string().optional(),
  executed_by: z.string(),
  delegation_chain: z.string().regex(/^[0-9a-f]{16}$/),
  step_sequence_hash: z.string().regex(/^[0-9a-f]{16}$/),
  state: z.enum(['recorded', 'asserted', 'none']),
  execution_id: z.string().optional(),
  chain_commitment: z.string(),
  initiated_by: z.string(),
  intent_digest: z.string().optional(),
  approval: z.object({ id: z.string(), arguments_digest: z.string().optional() }).optional(),
})
export type Intent = z.output<typeof intentSchema>

export const agentProofSchema = z.object({
  agent_checksum: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  registration_id: z.string(),
  version: z.int(),
  key: z.enum(['registered', 'endorsed', 'none']),
})

export const confirmationSchema = z.union([
  z.strictObject({ jkt: z.string() }),
  z.strictObject({ jwk: z.record(z.string(), z.unknown()) }),
])
export type Confirmation = z.output<typeof confirmationSchema>

export const accessTokenClaimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  client_id: z.string(),
  sub: z.string(),
  sub_profile: z.enum(['client', 'ai_agent', 'user', 'workload']).optional(),
  exp: z.int(),
  iat: z.int(),
  jti: z.string(),
  scope: z.string(),
  cnf: confirmationSchema.optional(),
  act: z.record(z.string(), z.unknown()).optional(),
  intent: intentSchema.optional(),
  agent_proof: agentProofSchema.optional(),
  authorization_details: z.array(z.record(z.string(), z.unknown())).optional(),
  /** Assertions, root first, for an API with `chain_disclosure: proofs`. */
  delegation_proofs: z.array(z.string()).optional(),
})
export type AccessTokenClaims = z.output<typeof accessTokenClaimsSchema>
