import type { ColumnType, GeneratedAlways } from 'kysely'
import type { Access } from '../../protocol/access.ts'
import type { Grant } from '../../protocol/agent.ts'
import type { PendingCause } from '../../protocol/agent-views.ts'
import type { AuthMethod, Policies } from '../../protocol/client.ts'
import type { GrantType } from '../../protocol/grant-types.ts'
import type {
  ChainDisclosure,
  ResourceScope,
  SigningAlg,
  TokenProfile,
  WorkflowNames,
} from '../../protocol/resource.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Json, Later, NullableJson } from './column-types.ts'
import type {
  ApprovalTable,
  DelegationTable,
  ExecutionStepTable,
  ExecutionTable,
  TrustedIssuerTable,
  WebhookDeliveryTable,
  WebhookTable,
} from './schema-execution.ts'
import type {
  AuditEventTable,
  BootstrapTable,
  ConsoleSessionTable,
  IdempotencyTable,
  RequestCountTable,
  RestoreEpochTable,
  SealingCanaryTable,
  SecondAdministratorTable,
  ServerSecretTable,
  ShimReleaseTable,
} from './schema-operation.ts'
import type { TokenTable } from './schema-token.ts'

export type PublicJwk = { kty: string; crv?: string; x?: string; y?: string; n?: string; e?: string }
export type ClientJwk = PublicJwk & { kid?: string; alg?: string }

export type ClientTable = {
  client_id: string
  client_name: string
  owner: string
  kind: 'app' | 'service' | 'operator'
  token_endpoint_auth_method: AuthMethod
  jwks: NullableJson<{ keys: readonly ClientJwk[] }>
  grant_types: Json<readonly GrantType[]>
  access: Json<Access>
  registers_for: Json<readonly string[]>
  policies: Json<Policies>
  /** Where the client's keys are fetched, instead of `jwks`. */
  jwks_uri: Later<string>
  /** `deleted` is final like `revoked`, and says that an administrator tidied up. */
  status: 'active' | 'revoked' | 'deleted'
  created_at: Date
  created_by: string
  updated_at: Later<Date>
}

export type ClientSecretTable = {
  client_id: string
  secret_digest: Buffer
  created_at: Date
  expires_at: Date | null
}

export type ResourceTable = {
  resource: string
  scopes: Json<readonly ResourceScope[]>
  token_profile: TokenProfile
  signing_alg: SigningAlg
  max_token_lifetime: number
  allow_bearer: boolean
  client_id: string | null
  chain_disclosure: ColumnType<ChainDisclosure, ChainDisclosure | undefined, ChainDisclosure>
  workflow_names: ColumnType<WorkflowNames, WorkflowNames | undefined, WorkflowNames>
  status: 'active' | 'revoked' | 'deleted'
  created_at: Date
  created_by: string
  updated_at: Later<Date>
}

export type AgentTable = {
  client_id: string
  agent_id: string
  status: 'active' | 'suspended' | 'revoked'
  access: Json<Access>
  outside_workflow: boolean
  suspended_by: string | null
  /** The acting owner of the suspension, who must not be the one to lift it. */
  suspended_owner: Later<string>
  suspended_at: Later<Date>
  suspend_reason: Later<string>
  created_at: Date
}

export type AgentKeyTable = {
  jkt: string
  client_id: string
  agent_id: string
  jwk: Json<PublicJwk>
  source: 'registered' | 'endorsed'
  added_at: Date
  expires_at: Date | null
  removed_at: Date | null
  /** Thumbprint of the key that endorsed this one. */
  endorsed_by: Later<string>
  /** Set for good: this key never comes back. */
  revoked_at: Later<Date>
}

export type AgentKeyEndorsementTable = {
  endorsed_by: string
  jkt: string
}

export type RegistrationTable = {
  registration_id: string
  client_id: string
  agent_id: string
  version: number
  checksum: string
  checksum_profile: 'jcs' | 'reference'
  components_sealed: Buffer
  /** SHA-256 of the components without their agent_id; null of versions older than the column. */
  content_digest: Buffer | null
  status: 'pending' | 'active' | 'draining' | 'retired' | 'revoked'
  drain_seconds: number
  drains_until: Date | null
  proposed_grant: NullableJson<Grant>
  proposed_keys: NullableJson<readonly { jkt: string; jwk: PublicJwk }[]>
  registered_at: Date
  registered_by: string
  registered_owner: string
  /** By whose token, and whose that client was then; null of versions older than the columns. */
  registered_client: Later<string>
  registered_client_owner: Later<string>
  approved_at: Date | null
  approved_by: string | null
  /** Why the version waited, or waits. */
  pending_for: ColumnType<readonly PendingCause[], string | undefined, string>
  rejected_at: Later<Date>
  rejected_by: Later<string>
  reject_reason: Later<string>
}

export type WorkflowTable = {
  client_id: string
  workflow_id: string
  version: number
  status: 'active' | 'deregistered' | 'revoked'
  created_at: Date
}

export type WorkflowVersionTable = {
  client_id: string
  workflow_id: string
  version: number
  definition: Json<{ steps: readonly WorkflowStep[] }>
  definition_digest: Buffer
  agent_ids: Json<readonly string[]>
  status: 'pending' | 'active' | 'superseded' | 'rejected'
  registered_at: Date
  registered_by: string
  registered_owner: string
  /** By whose token, and whose that client was then; null of versions older than the columns. */
  registered_client: Later<string>
  registered_client_owner: Later<string>
  approved_at: Date | null
  approved_by: string | null
  rejected_at: Later<Date>
  rejected_by: Later<string>
  reject_reason: Later<string>
}

export type ReplayKind = 'client_assertion' | 'dpop' | 'key_statement'

export type ReplayTable = {
  kind: ReplayKind
  owner: string
  jti: string
  expires_at: Date
}

export type RevocationKind = 'token' | 'registration' | 'agent' | 'client' | 'execution' | 'initiator' | 'key'

export type RevocationTable = {
  seq: GeneratedAlways<string>
  kind: RevocationKind
  id: string
  reason: string
  revoked_by: string
  revoked_at: Date
  ends_at: Date
  lifted_at: Date | null
}

export type KeyState = 'next' | 'active' | 'retiring' | 'retired' | 'compromised'

export type SigningKeyTable = {
  kid: string
  purpose: 'token'
  alg: SigningAlg
  state: KeyState
  public_jwk: Json<PublicJwk>
  private_sealed: Buffer | null
  created_at: Date
  active_at: Date | null
  retiring_at: Date | null
  retired_at: Date | null
}

export type Database = {
  client: ClientTable
  client_secret: ClientSecretTable
  resource: ResourceTable
  agent: AgentTable
  agent_key: AgentKeyTable
  agent_key_endorsement: AgentKeyEndorsementTable
  registration: RegistrationTable
  workflow: WorkflowTable
  workflow_version: WorkflowVersionTable
  token: TokenTable
  replay: ReplayTable
  revocation: RevocationTable
  signing_key: SigningKeyTable
  sealing_canary: SealingCanaryTable
  server_secret: ServerSecretTable
  bootstrap: BootstrapTable
  second_administrator: SecondAdministratorTable
  idempotency: IdempotencyTable
  audit_event: AuditEventTable
  shim_release: ShimReleaseTable
  console_session: ConsoleSessionTable
  restore_epoch: RestoreEpochTable
  request_count: RequestCountTable
  trusted_issuer: TrustedIssuerTable
  execution: ExecutionTable
  execution_step: ExecutionStepTable
  approval: ApprovalTable
  delegation: DelegationTable
  webhook: WebhookTable
  webhook_delivery: WebhookDeliveryTable
}
