import type { Access } from '../../protocol/access.ts'
import type { Explanation } from '../../protocol/audit-views.ts'
import type { Context } from '../context.ts'
import { findAgentKeys } from '../store/agent-keys.ts'
import { findAgent } from '../store/agents.ts'
import { findClient } from '../store/clients.ts'
import { listEntries, type StandingEntry } from '../store/explain.ts'
import { listRegistrations, type RegistrationRow } from '../store/registrations.ts'
import { findResource } from '../store/resources.ts'
import type { RevocationRef } from '../store/revocations.ts'
import { findActiveWorkflow } from '../store/workflows.ts'

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
  const { agent_proof, dpop_nonce, allow_bearer } = client.policies
  return [
    fact('client status', client.status),
    fact('client grant_types', client.grant_types.join(' ')),
    fact('client access', accessText(client.access)),
    fact('client policies', `agent_proof ${agent_proof}, dpop_nonce ${dpop_nonce}, allow_bearer ${allow_bearer}`),
  ]
}

export type AgentState = {
  readonly status: 'active' | 'suspended' | 'revoked' | undefined
  readonly versions: readonly RegistrationRow[]
  readonly facts: readonly Fact[]
}

/** An agent as it stands: its versions from the newest, its keys, its grant. */
export async function agentState(ctx: Context, client_id: string, agent_id: string): Promise<AgentState> {
  const agent = await findAgent(ctx, client_id, agent_id)
  if (!agent) return { status: undefined, versions: [], facts: [fact('agent', 'unknown to this client')] }
  const versions = await listRegistrations(ctx, client_id, agent_id, { limit: NEWEST_VERSIONS })
  const keys = await findAgentKeys(ctx, client_id, agent_id)
  const shown = versions.filter(({ status }) => status !== 'retired' && status !== 'revoked')
  return {
    status: agent.status,
    versions,
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

export async function workflowFacts(ctx: Context, client_id: string, workflow_id: string): Promise<readonly Fact[]> {
  const workflow = await findActiveWorkflow(ctx, client_id, workflow_id)
  if (!workflow) return [fact('workflow', 'none is active')]
  const steps = workflow.steps
    .slice(0, NEWEST_VERSIONS)
    .map(({ step_id, agent_id }) => `${step_id}: ${agent_id ?? 'any'}`)
  const more = workflow.steps.length - steps.length
  return [
    fact('workflow version', workflow.version),
    fact('workflow steps', `${steps.join(', ')}${more > 0 ? `, and ${more} more` : ''}`),
  ]
}

export async function revocationFacts(ctx: Context, refs: readonly RevocationRef[]): Promise<readonly Fact[]> {
  const entries = await listEntries(ctx, refs)
  return entries.map((entry, at) => fact(`revocation ${at + 1} of ${entry.kind}`, entryText(entry, ctx.now())))
}

export function entryText({ id, reason, revoked_by, revoked_at, ends_at }: StandingEntry, now: Date): string {
  const state = ends_at > now ? `stands until ${ends_at.toISOString()}` : 'its entry has ended'
  return `${id}, by ${revoked_by} at ${revoked_at.toISOString()} (${reason}); ${state}`
}

function versionText({ status, checksum, registration_id, drains_until }: RegistrationRow): string {
  const until = status === 'draining' && drains_until ? ` until ${drains_until.toISOString()}` : ''
  return `${status}${until}, sha256:${checksum}, ${registration_id}`
}

function accessText(access: Access): string {
  return access.map(({ resource, scope }) => `${resource} ${scope}`).join('; ')
}
