import type { TokenProfile } from '../../protocol/resource.ts'
import type { Later } from './column-types.ts'

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
  /** The delegation under which it was minted; `parent_jti` is its parent. */
  delegation_id: Later<string>
  approval_id: Later<string>
  /** Number of the entry of its step, in recorded mode. */
  step_entry: Later<number>
  /** Set for good, by its own revocation or that of what it descends from. */
  revoked_at: Later<Date>
  issued_at: Date
  expires_at: Date
}
