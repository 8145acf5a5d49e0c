import type { Access } from '../../protocol/access.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import type { AccessByClaim, IssuerPurpose } from '../../protocol/trusted-issuer.ts'
import type { Json, Later, NullableJson } from './column-types.ts'
import type { ClientJwk } from './schema.ts'

/* Tables of what the server knows itself: trusted issuers, executions, approvals, delegation, and who is told. */

export type TrustedIssuerTable = {
  name: string
  issuer: string
  purpose: IssuerPurpose
  audience: string
  jwks: NullableJson<{ keys: readonly ClientJwk[] }>
  jwks_uri: string | null
  algs: Json<readonly string[]>
  typs: Json<readonly string[]>
  typ_may_be_absent: boolean
  clients: Json<readonly string[]>
  /** Seconds since `iat`. */
  max_age: number
  claims: Json<Readonly<Record<string, string | number | boolean>>>
  acr_values: Json<readonly string[]>
  access: NullableJson<Access>
  access_by_claim: Json<readonly AccessByClaim[]>
  status: 'active' | 'deleted'
  created_at: Date
  created_by: string
  updated_at: Later<Date>
}

export type ExecutionTable = {
  execution_id: string
  client_id: string
  workflow_id: string
  /** Pinned: later versions do not concern a running execution. */
  workflow_version: number
  initiated_by: string
  /** Ceiling of the whole execution, from the initiator's claims; null: none. */
  access: NullableJson<Access>
  intent_digest: string | null
  limits: Json<ExecutionLimits>
  opening: Buffer | null
  opened_by: string
  opened_at: Date
  expires_at: Date
  status: 'open' | 'closed' | 'revoked'
  ended_at: Later<Date>
  /** How many were minted in it. */
  tokens: number
}

export type ExecutionStepTable = {
  execution_id: string
  step_id: string
  /** `granted`: a gate, by an approval. */
  state: 'entered' | 'left' | 'granted'
  entries: number
  /** Minted since it was last entered. */
  tokens: number
  entered_at: Date
  left_at: Date | null
}

export type ApprovalTable = {
  approval_id: string
  execution_id: string
  client_id: string
  workflow_id: string
  step_id: string
  /** Who asked. */
  agent_id: string
  resource: string
  scope: string
  arguments_digest: string | null
  arguments_sealed: Buffer | null
  status: 'pending' | 'granted' | 'denied'
  opened_at: Date
  decided_at: Later<Date>
  decided_by: Later<string>
  decided_owner: Later<string>
  decision_reason: Later<string>
  /** The entry of the step that consumed it. */
  entry: Later<number>
  consumed_at: Later<Date>
}

export type DelegationTable = {
  /** base64url SHA-256 of the assertion. */
  delegation_id: string
  client_id: string
  /** Subject names. */
  delegator: string
  delegate: string
  jti: string
  parent_jti: string
  parent_delegation_id: string | null
  execution_id: string | null
  /** The step that it is for, the parent's where the assertion names none. */
  workflow_step: string | null
  delegator_jkt: string
  jkt: string
  scope: string
  resource: string
  /** Subject names, root first, the delegate last. */
  chain: Json<readonly string[]>
  assertion: string
  issued_at: Date
  expires_at: Date
  presented_at: Date
  revoked_at: Later<Date>
}

export type WebhookTable = {
  webhook_id: string
  url: string
  /** Null as soon as it is told nothing any more. */
  secret_sealed: Buffer | null
  /** `gone`: its receiver answered 410, and is told nothing any more. */
  status: 'active' | 'gone' | 'deleted'
  created_at: Date
  created_by: string
}

export type WebhookDeliveryTable = {
  delivery_id: string
  webhook_id: string
  event_type: string
  payload: string
  attempts: number
  next_attempt_at: Date
  created_at: Date
  delivered_at: Later<Date>
  failed_at: Later<Date>
  last_result: Later<string>
}
