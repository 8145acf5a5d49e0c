import type { Grant } from '../../protocol/agent.ts'
import type { PendingCause } from '../../protocol/agent-views.ts'
import type { Agent } from '../store/agents.ts'
import type { RegistrationRow } from '../store/registrations.ts'
import { isNoWider } from './ceiling.ts'
import type { SentKey } from './sent-keys.ts'

/** What there is of an agent before a version comes. */
export type AgentBefore = {
  readonly grant: Pick<Agent, 'access' | 'outside_workflow'>
  readonly held: readonly { readonly jkt: string }[]
  /** Whether a version has ever counted. Until then what an earlier one asked for waits with the newest. */
  readonly has_counted: boolean
  readonly proposal: Pick<RegistrationRow, 'proposed_grant' | 'proposed_keys'> | undefined
  readonly newest_version: number
  /** Whether this content of this agent was revoked once. */
  readonly was_revoked: boolean
}

/** What a registration asks for, and what speaks for itself about it. */
export type Asked = {
  readonly require_approval: boolean
  readonly hidden: boolean
  readonly grant: Grant | undefined
  /** By the client's policy, for an agent that asks for nothing at first. */
  readonly default_grant: Grant | undefined
  readonly keys: readonly SentKey[]
  /** Thumbprints of sent keys that somebody who may has vouched for. */
  readonly stated: ReadonlySet<string>
}

/** `grant` and `keys` are given at once, `proposed_grant` and `proposed_keys` once the version is approved. */
type Decision = {
  readonly version: number
  readonly status: 'active' | 'pending'
  readonly pending_for: readonly PendingCause[]
  readonly grant: Grant | undefined
  readonly keys: readonly SentKey[]
  readonly proposed_grant: Grant | null
  readonly proposed_keys: RegistrationRow['proposed_keys']
}

/** What registering a version does (protocol.md section 4): it counts at once unless something asks for approval. */
export function decideVersion(before: AgentBefore, asked: Asked): Decision {
  const isFirst = !before.has_counted
  const keysWait = keysNeedApproval(before, asked)
  const pending_for: PendingCause[] = [
    ...(asked.require_approval ? ['require_approval' as const] : []),
    ...(asked.hidden ? ['hidden-characters' as const] : []),
    ...(keysWait ? ['keys' as const] : []),
    ...(before.was_revoked ? ['revoked_checksum' as const] : []),
  ]
  const pending = pending_for.length > 0
  const grant = asked.grant ?? (isFirst ? firstGrant(before, asked) : undefined)
  const grantWaits = pending && grant !== undefined && (isFirst || !isNoWider(grant, before.grant))
  return {
    version: before.newest_version + 1,
    status: pending ? 'pending' : 'active',
    pending_for,
    grant: grantWaits ? undefined : grant,
    // A statement speaks for a key by itself and is taken once: its key does not wait with the version.
    keys: pending ? asked.keys.filter(key => asked.stated.has(key.jkt)) : asked.keys,
    proposed_grant: grantWaits ? grant : null,
    proposed_keys: pending && (isFirst || keysWait) ? proposedKeys(before, asked) : null,
  }
}

/** Whether keys were sent that are others than the agent's, without a statement for each that is new. */
function keysNeedApproval({ has_counted, held }: AgentBefore, { keys, stated }: Asked): boolean {
  if (keys.length === 0 || (!has_counted && held.length === 0)) return false
  const known = new Set(held.map(key => key.jkt))
  const newKeys = keys.filter(key => !known.has(key.jkt))
  if (newKeys.length > 0) return !newKeys.every(key => stated.has(key.jkt))
  return keys.length !== held.length
}

function firstGrant({ proposal }: AgentBefore, { default_grant }: Asked): Grant | undefined {
  return proposal ? (proposal.proposed_grant ?? undefined) : default_grant
}

function proposedKeys({ has_counted, proposal }: AgentBefore, { keys }: Asked): RegistrationRow['proposed_keys'] {
  if (keys.length > 0) return keys
  return has_counted ? null : (proposal?.proposed_keys ?? null)
}
