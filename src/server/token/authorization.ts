import type { Confirmation, Intent } from '../../protocol/claims.ts'
import type { KeyStatement } from '../../protocol/key-statement.ts'
import type { ChainDisclosure, SigningAlg, TokenProfile, WorkflowNames } from '../../protocol/resource.ts'
import type { WorkflowRequest } from '../../protocol/workflow-request.ts'
import type { ShimFinding } from '../registry/shim-releases.ts'
import type { Client } from '../store/clients.ts'
import type { PublicJwk } from '../store/schema.ts'
import type { ProvenDelegation } from './delegation.ts'
import type { StepEntry } from './step-entry.ts'

/** The API a token is for: a registered resource, or one of our own two. */
export type Target = {
  readonly resource: string
  readonly kind: 'registered' | 'issuer' | 'admin'
  readonly token_profile: TokenProfile
  readonly signing_alg: SigningAlg
  readonly max_token_lifetime: number
  readonly allow_bearer: boolean
  readonly workflow_names: WorkflowNames
  readonly chain_disclosure: ChainDisclosure
}

/** A key that a statement vouches for: bound to the agent by the mint's write. */
export type Endorsement = {
  readonly jkt: string
  readonly jwk: PublicJwk
  readonly signer: KeyStatement['signer']
  /** Of the statement. */
  readonly expires_at: Date
}

/** The agent side of an authorization: what the agent grant proved. */
export type AgentAuthorization = {
  readonly agent_id: string
  readonly registration_id: string
  readonly version: number
  readonly checksum: string
  readonly intent: Intent
  readonly workflow?: WorkflowRequest & { readonly version: number }
  /** Subject names, root first, self last: the server's own record, never the caller's word. */
  readonly chain: readonly string[]
  /** Set in recorded mode: what the write enters, and judges again behind the execution's lock. */
  readonly entry?: StepEntry
  readonly delegation?: ProvenDelegation
  /** Set where the possession of an admitted key was proven. */
  readonly key: 'registered' | 'endorsed' | 'none'
  /** Set where the key is endorsed. */
  readonly endorsement?: Endorsement
  /** A draft token without a proof carries the agent's one registered key. */
  readonly registered_key?: { readonly jkt: string; readonly jwk: PublicJwk }
  /** Set where the client's policy looks at shims. */
  readonly shim?: ShimFinding
}

/** What a grant proved: plain data, read but not yet written. Policy may narrow it, nothing widens it. */
export type Authorization = {
  readonly grant: 'client_credentials' | 'agent' | 'token_exchange'
  readonly client: Client
  readonly target: Target
  readonly scope: readonly string[]
  readonly sub: string
  readonly sub_profile: 'client' | 'ai_agent' | 'user' | 'workload'
  /** What the token must not outlive: a foreign token, a delegation, an execution. */
  readonly not_after?: Date
  /** Set where the answer is one of token exchange (RFC 8693 section 2.2.1). */
  readonly exchanged?: true
  readonly agent?: AgentAuthorization
}

/** An authorization that policy let pass: how long, bound to what. */
export type Permitted = Authorization & {
  /** Seconds. */
  readonly lifetime: number
  readonly token_type: 'DPoP' | 'Bearer'
  readonly confirmation?: Confirmation
  /** Thumbprint of the key in the confirmation. */
  readonly jkt?: string
}
