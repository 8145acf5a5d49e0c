import { accessText } from '../../protocol/access.ts'
import type { RegistrationView } from '../../protocol/agent-views.ts'
import type { Explanation } from '../../protocol/audit-views.ts'
import type { Policies } from '../../protocol/client.ts'
import { limitsText } from '../../protocol/execution.ts'
import type { Context } from '../context.ts'
import { findAgentKeys } from '../store/agent-keys.ts'
import { findClient } from '../store/clients.ts'
import { listEntries, type StandingEntry } from '../store/explain.ts'
import { listRegistrations } from '../store/registrations.ts'
import { findResource } from '../store/resources.ts'
import type { RevocationRef } from '../store/revocations.ts'
import { registrationView, standingAgent } from './agent-views.ts'

/*
 * What the registry holds now, as plain pairs of ids, codes, thumbprints and checksums: never a prompt, never a secret.
 */

export type Fact = Explanation['facts'][number]

const NEWEST_VERSIONS = 20
const NONE = 'none'

export function fact(name: string, value: string | number | boolean | null | undefined): Fact {
  return { name, value: value === null || value === undefined || value === '' ? NONE : String(value) }
}

export async function clientFacts(ctx: Context, client_id: string): Promise<readonly Fact[]> {
  const client = await findClient(ctx, client_id)
  if (!client) return [fact('client', 'unknown')]
  return [
    fact('client status', client.status),
    fact('client grant_types', client.grant_types.join(' ')),
    fact('client access', accessText(client.access)),
    fact('client policies', policiesText(client.policies)),
  ]
}

/** All of them: whichever one refused is there. */
function policiesText({ limits, ...policies }: Policies): string {
  const named = Object.entries(policies).map(([name, value]) => `${name} ${value}`)
  return [...named.sort(), `limits ${limitsText(limits)}`].join(', ')
}

export type AgentState = {
  readonly status: 'active' | 'suspended' | 'revoked' | undefined
  /** As they stand now. */
  readonly versions: readonly RegistrationView[]
  /** Thumbprints of the registered ones. */
  readonly jkts: readonly string[]
  readonly facts: readonly Fact[]
}

/** An agent as it stands: its versions from the newest, its keys, its grant. */
export async function agentState(ctx: Context, client_id: string, agent_id: string): Promise<AgentState> {
  const agent = await standingAgent(ctx, { client_id, agent_id })
  if (!agent) return { status: undefined, versions: [], jkts: [], facts: [fact('agent', 'unknown to this client')] }
  const versions = await listRegistrations(ctx, client_id, agent_id, { limit: NEWEST_VERSIONS })
  const keys = await findAgentKeys(ctx, client_id, agent_id)
  const now = ctx.now()
  const views = versions.map(version => registrationView(version, agent, now))
  const shown = views.filter(({ status }) => status !== 'retired' && status !== 'revoked')
  return {
    status: agent.status,
    versions: views,
    jkts: keys.map(key => key.jkt),
    facts: [
      fact('agent status', agent.status),
      fact('agent access', accessText(agent.access)),
      fact('agent outside_workflow', agent.outside_workflow),
      fact('agent registered keys (jkt)', keys.map(key => key.jkt).join(' ')),
      ...(shown.length === 0 ? [fact('agent versions', 'none is pending, active or draining')] : []),
      ...shown.map(row => fact(`agent version ${row.version}`, versionText(row))),
    ],
  }
}

export async function resourceFacts(ctx: Context, resource: string): Promise<readonly Fact[]> {
  const { issuer, adminAudience } = ctx.config
  if (resource === issuer || resource === adminAudience) return [fact('resource', 'an API of this server')]
  const found = await findResource(ctx, resource)
  if (!found) return [fact('resource', 'not registered')]
  const scopes = found.scopes.map(({ name, workflow, approval }) => {
    const marks = [...(workflow ? ['workflow'] : []), ...(approval ? ['approval'] : [])]
    return marks.length === 0 ? name : `${name} (${marks.join(', ')})`
  })
  return [
    fact('resource status', found.status),
    fact('resource scopes', scopes.join(' ')),
    fact('resource allow_bearer', found.allow_bearer),
  ]
}

export async function revocationFacts(ctx: Context, refs: readonly RevocationRef[]): Promise<readonly Fact[]> {
  const entries = await listEntries(ctx, refs)
  return entries.map((entry, at) => fact(`revocation ${at + 1} of ${entry.kind}`, entryText(entry, ctx.now())))
}

/** What an entry refuses by itself it refuses for a time; what was revoked for good is out of its record too. */
export function entryText({ kind, id, reason, revoked_by, revoked_at, ends_at }: StandingEntry, now: Date): string {
  const time = ends_at > now ? `stands until ${ends_at.toISOString()}` : 'its entry has ended'
  const state = kind === 'key' ? `${time}, and the key is out of every record that had it` : time
  return `${id}, by ${revoked_by} at ${revoked_at.toISOString()} (${reason}); ${state}`
}

function versionText({ status, checksum, registration_id, drains_until }: RegistrationView): string {
  const until = status === 'draining' && drains_until ? ` until ${drains_until}` : ''
  return `${status}${until}, sha256:${checksum}, ${registration_id}`
}
