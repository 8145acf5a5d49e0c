export { remoteAgentKeys } from './agent-keys.ts'
export { type ChallengeOptions, challenge } from './challenge.ts'
export { type ProofOptions, type ProvenChain, type RootKeys, verifyDelegationProofs } from './delegation-proofs.ts'
export { type RemoteJwksOptions, remoteJwks } from './remote-jwks.ts'
export {
  createVerifier,
  type KeySource,
  type PresentedRequest,
  type UsedProof,
  type Verified,
  type Verifier,
  type VerifierOptions,
} from './verify.ts'
