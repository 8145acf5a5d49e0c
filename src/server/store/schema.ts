import type { ColumnType, GeneratedAlways } from 'kysely'
import type { Access } from '../../protocol/access.ts'
import type { Grant } from '../../protocol/agent.ts'
import type { AuthMethod, Policies } from '../../protocol/client.ts'
import type { GrantType } from '../../protocol/grant-types.ts'
import type { ResourceScope, SigningAlg, TokenProfile } from '../../protocol/resource.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'

/** jsonb: read as data, written as JSON text. */
type Json<T> = ColumnType<T, string, string>
type NullableJson<T> = ColumnType<T | null, string | null, string | null>

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
  status: 'active' | 'revoked'
  created_at: Date
  created_by: string
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
  status: 'active' | 'revoked'
  created_at: Date
  created_by: string
}

export type AgentTable = {
  client_id: string
  agent_id: string
  status: 'active' | 'suspended' | 'revoked'
  access: Json<Access>
  outside_workflow: boolean
  suspended_by: string | null
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
}

export type RegistrationTable = {
  registration_id: string
  client_id: string
  agent_id: string
  version: number
  checksum: string
  checksum_profile: 'jcs' | 'reference'
  components_sealed: Buffer
  status: 'pending' | 'active' | 'draining' | 'retired' | 'revoked'
  drain_seconds: number
  drains_until: Date | null
  proposed_grant: NullableJson<Grant>
  proposed_keys: NullableJson<readonly { jkt: string; jwk: PublicJwk }[]>
  registered_at: Date
  registered_by: string
  registered_owner: string
  approved_at: Date | null
  approved_by: string | null
}

export type WorkflowTable = {
  client_id: string
  workflow_id: string
  version: number
  status: 'active' | 'deregistered'
  created_at: Date
}

export type WorkflowVersionTable = {
  client_id: string
  workflow_id: string
  version: number
  definition: Json<{ steps: readonly WorkflowStep[] }>
  definition_digest: Buffer
  agent_ids: Json<readonly string[]>
  status: 'pending' | 'active' | 'superseded'
  registered_at: Date
  registered_by: string
  registered_owner: string
  approved_at: Date | null
  approved_by: string | null
}

export type WorkflowState = 'none' | 'asserted' | 'recorded'

export type TokenTable = {
  jti: string
  client_id: string
  sub: string
  resource: string
  scope: string
  token_profile: TokenProfile
  kid: string
  token_type: 'DPoP' | 'Bearer'
  /** Thumbprint of the key in `cnf`, proven at the mint or not. */
  jkt: string | null
  agent_id: string | null
  registration_id: string | null
  workflow_id: string | null
  workflow_version: number | null
  workflow_step: string | null
  workflow_state: WorkflowState
  execution_id: string | null
  parent_jti: string | null
  initiated_by: string | null
  issued_at: Date
  expires_at: Date
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

export type SealingCanaryTable = { id: number; kek_id: string; sealed: Buffer }
export type ServerSecretTable = { name: string; sealed: Buffer; created_at: Date }
export type BootstrapTable = { id: number; client_id: string; used_at: Date }

export type IdempotencyTable = {
  client_id: string
  idempotency_key: string
  endpoint: string
  request_digest: Buffer
  response_status: number
  response_body: Json<unknown>
  created_at: Date
  expires_at: Date
}

export type AuditEventTable = {
  id: string
  at: Date
  action: string
  outcome: 'success' | 'refused'
  reason: string | null
  actor: string
  client_id: string | null
  agent_id: string | null
  execution_id: string | null
  jti: string | null
  request_id: string
  address: string | null
  details: Json<Readonly<Record<string, unknown>>>
  leaf_hash: Buffer
  seal_seq: string | null
}

export type Database = {
  client: ClientTable
  client_secret: ClientSecretTable
  resource: ResourceTable
  agent: AgentTable
  agent_key: AgentKeyTable
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
  idempotency: IdempotencyTable
  audit_event: AuditEventTable
}
