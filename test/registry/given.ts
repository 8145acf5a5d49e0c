import { createHash } from 'node:crypto'
import type { AgentRegistration } from '../../src/protocol/agent.ts'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { type ClientCreate, clientCreateSchema } from '../../src/protocol/client.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { Problem } from '../../src/protocol/problem.ts'
import { resourceCreateSchema } from '../../src/protocol/resource.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { ActEvent } from '../../src/server/audit/events.ts'
import type { Caller } from '../../src/server/caller.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import type { Outcome } from '../../src/server/registry/act.ts'
import { approveVersion } from '../../src/server/registry/agent-approval.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { createClient } from '../../src/server/registry/clients.ts'
import { createResource } from '../../src/server/registry/resources.ts'
import { approveWorkflow } from '../../src/server/registry/workflow-approval.ts'
import { registerWorkflow } from '../../src/server/registry/workflows.ts'

export const CRM = 'https://crm.example/api'
export const MAIL = 'https://mail.example/api'
export const EVENT: ActEvent = { action: 'agent.register', details: {} }

/** A caller as the guard of the APIs would make it. */
export function caller(over: Partial<Caller> = {}): Caller {
  return {
    client_id: 'admin',
    sub: 'admin',
    acting_owner: 'user:local:root',
    scope: ADMIN_SCOPES,
    registers_for: [],
    request_id: 'req-1',
    address: '127.0.0.1',
    ...over,
  }
}

/** Another owner than the app's, who may approve. */
export const APPROVER = caller({ client_id: 'approver', sub: 'approver', acting_owner: 'user:local:eve' })

export async function run<T>(ctx: Context, fn: (tx: Context) => Promise<Outcome<T>>): Promise<T> {
  return (await transaction(ctx, fn)).body
}

export async function givenResources(ctx: Context): Promise<void> {
  for (const resource of [CRM, MAIL]) {
    const body = resourceCreateSchema.parse({ resource, scopes: [{ name: 'read' }, { name: 'write' }] })
    await run(ctx, tx => createResource(tx, caller(), body))
  }
}

/** A client of Anna's that may read and write the CRM, and reads mail. */
export async function givenClient(
  ctx: Context,
  client_id: string,
  over: Partial<Record<keyof ClientCreate, unknown>> = {},
): Promise<Caller> {
  const body = clientCreateSchema.parse({
    client_id,
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [
      { resource: CRM, scope: 'read write' },
      { resource: MAIL, scope: 'read' },
      { resource: ctx.config.issuer, scope: 'generate:intent-token register:intent register:workflow' },
    ],
    ...over,
  })
  await run(ctx, tx => createClient(tx, caller(), body))
  return caller({ client_id, sub: client_id, acting_owner: body.owner, registers_for: body.registers_for })
}

export function agentBody(app_id: string, over: Partial<AgentRegistration> & { prompt?: string; id?: string } = {}) {
  const { prompt = 'You sort mail.', id = 'planner', ...rest } = over
  return agentRegistrationSchema.parse({
    app_id,
    agent_components: { agent_id: id, prompt_template: prompt, tools: [] },
    ...rest,
  })
}

export async function register(ctx: Context, by: Caller, body: AgentRegistration) {
  return await run(ctx, tx => registerAgent(tx, by, body))
}

export async function approve(
  ctx: Context,
  by: Caller,
  client_id: string,
  version: { agent_id: string; registration_id: string; checksum: string },
) {
  const { agent_id, registration_id, checksum } = version
  return await run(ctx, tx => approveVersion(tx, by, { client_id, agent_id }, { registration_id, checksum }))
}

export async function registerFlow(ctx: Context, by: Caller, steps: unknown, workflow_id = 'w', app_id?: string) {
  const body = workflowRegistrationSchema.parse({ workflow_id, steps, ...(app_id !== undefined && { app_id }) })
  return await run(ctx, tx => registerWorkflow(tx, by, body))
}

export async function approveFlow(ctx: Context, by: Caller, client_id: string, version: number, workflow_id = 'w') {
  return await run(ctx, tx => approveWorkflow(tx, by, { client_id, workflow_id }, version))
}

/** What was thrown, as code and reason. */
export async function refused(promise: Promise<unknown>): Promise<{ code: string; reason: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof OAuthError || error instanceof Problem) return { code: error.code, reason: error.reason }
    throw error
  }
  throw new Error('It was not refused.')
}

export function refusedNow(fn: () => unknown): Promise<{ code: string; reason: string }> {
  return refused(Promise.resolve().then(fn))
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
