import type { Json } from './column-types.ts'

/* Tables of running the server: its secrets, its first and second administrator, what was done, asked and signed in. */

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

export type ShimReleaseTable = {
  version: string
  checksum: string
  /** Policy `min_release` asks for this version or a newer one. */
  minimum: boolean
  status: 'released' | 'withdrawn'
  released_at: Date
  released_by: string
  withdrawn_at: Date | null
}

export type ConsoleSessionTable = {
  code_digest: Buffer
  client_id: string
  sub: string
  acting_owner: string
  scope: string
  /** Of the admin token that asked for the link. */
  jti: string
  created_at: Date
  code_expires_at: Date
  session_digest: Buffer | null
  /** Of what the page sends as X-Remit-Console. */
  marker_digest: Buffer | null
  expires_at: Date | null
  ended_at: Date | null
}

export type RequestCountTable = { counted: string; minute_at: Date; n: number }
export type SecondAdministratorTable = { id: number; since: Date }
export type RestoreEpochTable = { id: number; not_before: Date; backup_created_at: Date }
