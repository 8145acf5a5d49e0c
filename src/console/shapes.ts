import * as z from 'zod/mini'
import type { RegistrationAnswer } from '../protocol/agent.ts'
import type {
  AgentDetail,
  AgentView,
  ComponentsDiff,
  ComponentsView,
  DiffLine,
  RegistrationView,
  VersionDetail,
  Warning,
} from '../protocol/agent-views.ts'
import type { AuditRowView, Explanation } from '../protocol/audit-views.ts'
import type { ConsoleSession, ConsoleSignInAnswer } from '../protocol/console-session.ts'
import { WORKFLOW_CAUSES } from '../protocol/workflow-causes.ts'
import type { StepView, WorkflowDetail } from '../protocol/workflow-views.ts'
import type { ClientView } from './client-view.ts'

/*
 * The wire shapes as this page reads them, in the small zod: the whole one would be half of the page. Each is held to the
 * server's own by its type, both ways: a difference does not compile.
 */

export type Shape<T> = z.ZodMiniType<T>

export function exactly<T>() {
  return <S extends z.ZodMiniType<T>>(shape: T extends z.output<S> ? S : never): Shape<T> => shape
}

const text = z.string()
const maybeText = z.nullable(text)
const names = z.array(text)
const access = z.array(z.object({ resource: text, scope: text }))
const grant = z.object({ access, outside_workflow: z.boolean() })

const sessionMembers = { client_id: text, acting_owner: text, scope: names, expires_at: text }
export const sessionShape = exactly<ConsoleSession>()(z.object(sessionMembers))
export const signInAnswerShape = exactly<ConsoleSignInAnswer>()(z.object({ ...sessionMembers, marker: text }))

const agentMembers = {
  app_id: text,
  agent_id: text,
  agent_status: z.enum(['active', 'suspended', 'revoked']),
  grant,
  registration_id: maybeText,
  version: z.nullable(z.number()),
  status: maybeText,
  checksum: maybeText,
  checksum_profile: maybeText,
  registered_at: maybeText,
  pending: z.number(),
}
export const agentShape = exactly<AgentView>()(z.object(agentMembers))

const registrationMembers = {
  registration_id: text,
  version: z.number(),
  status: z.enum(['pending', 'active', 'draining', 'retired', 'revoked']),
  checksum: text,
  checksum_profile: z.enum(['jcs', 'reference']),
  registered_at: text,
  registered_by: text,
  registered_owner: text,
  drain_seconds: z.number(),
  drains_until: maybeText,
  approved_at: maybeText,
  approved_by: maybeText,
  rejected_at: maybeText,
  rejected_by: maybeText,
  reject_reason: maybeText,
  pending_for: z.array(z.enum(['require_approval', 'hidden-characters', 'keys', 'revoked_checksum'])),
  proposed_grant: z.nullable(grant),
  proposed_jkts: names,
}
const registration = exactly<RegistrationView>()(z.object(registrationMembers))

export const agentDetailShape = exactly<AgentDetail>()(
  z.object({
    ...agentMembers,
    owner: text,
    max_drain_seconds: z.number(),
    suspended: z.nullable(z.object({ by: text, owner: text, at: text, reason: text })),
    keys: z.array(
      z.object({
        jkt: text,
        source: z.enum(['registered', 'endorsed']),
        added_at: text,
        expires_at: maybeText,
        endorsed_by: maybeText,
      }),
    ),
    endorsed_keys: z.number(),
    registrations: z.array(registration),
  }),
)

const lines = z.array(exactly<DiffLine>()(z.object({ op: z.enum(['same', 'add', 'remove', 'skip']), text })))
const componentsDiff = exactly<ComponentsDiff>()(
  z.object({
    prompt: lines,
    tools: z.array(z.object({ name: text, change: z.enum(['added', 'removed', 'changed', 'moved']), lines })),
    configuration: lines,
  }),
)
const components = exactly<ComponentsView>()(
  z.object({
    prompt: text,
    tools: z.array(z.object({ name: text, description: text, rest: text })),
    configuration: text,
  }),
)
const warning = exactly<Warning>()(
  z.object({ code: z.enum(['hidden-characters', 'same-content', 'normalised']), where: text, detail: text }),
)

export const versionShape = exactly<VersionDetail>()(
  z.object({
    ...registrationMembers,
    client_id: text,
    agent_id: text,
    components,
    warnings: z.array(warning),
    against: z.nullable(z.object({ registration_id: text, version: z.number() })),
    diff: z.nullable(componentsDiff),
  }),
)

export const registrationAnswerShape = exactly<RegistrationAnswer>()(
  z.object({ agent_id: text, registration_id: text, checksum: text, version: z.number(), status: text }),
)

export const auditRowShape = exactly<AuditRowView>()(
  z.object({
    id: text,
    at: text,
    action: text,
    outcome: z.enum(['success', 'refused']),
    reason: maybeText,
    actor: text,
    client_id: maybeText,
    agent_id: maybeText,
    execution_id: maybeText,
    jti: maybeText,
    request_id: text,
    address: maybeText,
    details: z.record(text, z.unknown()),
    leaf_hash: text,
  }),
)

export const explanationShape = exactly<Explanation>()(
  z.object({
    kind: z.enum(['token', 'audit', 'request']),
    id: text,
    rows: z.array(auditRowShape),
    outcome: z.enum(['success', 'refused']),
    reason: maybeText,
    check: text,
    facts: z.array(z.object({ name: text, value: text })),
    mend: text,
    command: maybeText,
    error_uri: maybeText,
  }),
)

const step = exactly<StepView>()(
  z.object({
    step_id: text,
    agent_id: maybeText,
    action: maybeText,
    access: z.nullable(access),
    dependencies: names,
    required: z.boolean(),
    approval_gate: z.boolean(),
    requires_approval: z.boolean(),
  }),
)

export const workflowShape = exactly<WorkflowDetail>()(
  z.object({
    client_id: text,
    workflow_id: text,
    owner: text,
    status: z.enum(['active', 'deregistered', 'revoked']),
    version: z.number(),
    versions: z.array(
      z.object({
        version: z.number(),
        status: z.enum(['pending', 'active', 'superseded', 'rejected']),
        registered_at: text,
        registered_by: text,
        registered_owner: text,
        approved_at: maybeText,
        approved_by: maybeText,
        rejected_at: maybeText,
        rejected_by: maybeText,
        reject_reason: maybeText,
        pending_for: z.array(z.object({ cause: z.enum(WORKFLOW_CAUSES), step_id: maybeText })),
        steps: z.array(step),
      }),
    ),
  }),
)

export const clientShape = exactly<ClientView>()(
  z.object({
    client_id: text,
    client_name: text,
    owner: text,
    kind: text,
    token_endpoint_auth_method: text,
    jwks_uri: maybeText,
    grant_types: names,
    access,
    registers_for: names,
    policies: z.record(text, z.unknown()),
    secrets: z.array(z.object({ created_at: text, expires_at: maybeText })),
    status: text,
    created_at: text,
  }),
)
