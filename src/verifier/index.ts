export type { AccessTokenClaims } from '../protocol/claims.ts'
export { OAuthError } from '../protocol/errors.ts'
export { remoteAgentKeys } from './agent-keys.ts'
export { type ChallengeOptions, challenge } from './challenge.ts'
export type { ResourceClient } from './client-token.ts'
export { type ProofOptions, type ProvenChain, type RootKeys, verifyDelegationProofs } from './delegation-proofs.ts'
export { type MemoryReplayCacheOptions, memoryReplayCache } from './memory-replay-cache.ts'
export {
  POSTGRES_REPLAY_TABLE,
  type PostgresReplayCacheOptions,
  postgresReplayCache,
  type Queryable,
} from './postgres-replay-cache.ts'
export type { Refusal } from './refusal.ts'
export { type Drop, type RefusalReporter, type RefusalReporterOptions, refusalReporter } from './refusal-reporter.ts'
export { type RemoteJwksOptions, remoteJwks } from './remote-jwks.ts'
export type { ReplayCache } from './replay-cache.ts'
export { resourceStatus } from './resource-status.ts'
export type { RevocationSource } from './revocation-source.ts'
export type { RouteRule } from './route-rule.ts'
export {
  createVerifier,
  type KeySource,
  type PresentedRequest,
  type UsedProof,
  type Verified,
  type Verifier,
  type VerifierOptions,
} from './verify.ts'
