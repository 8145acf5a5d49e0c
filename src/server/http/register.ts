import { agentRegistrationSchema, registrationAnswerSchema } from '../../protocol/agent.ts'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { workflowAnswerSchema, workflowRegistrationSchema } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import { act } from '../registry/act.ts'
import { registerAgent } from '../registry/agent-registration.ts'
import { registerWorkflow } from '../registry/workflows.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'

const refusals = { 400: oauthErrorSchema, 401: oauthErrorSchema, 403: oauthErrorSchema, 422: oauthErrorSchema }

/** POST /intent/register/agent (protocol.md section 4). */
export async function registerAgentRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const agent = {
    summary: 'Register a version of an agent',
    tags: ['registration'],
    headers: idempotencyHeaders,
    body: agentRegistrationSchema,
    response: { 200: registrationAnswerSchema, ...refusals },
  }
  const mayRegisterAgents = { permission: { audience: 'issuer', scope: 'register:intent' } } as const
  app.post('/intent/register/agent', { config: mayRegisterAgents, schema: agent }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const { agent_id } = body.agent_components
    const event = { action: 'agent.register', client_id: body.app_id, agent_id, details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerAgent(tx, caller, body)))
  })
}

/** POST /intent/register/workflow (protocol.md section 5). */
export async function registerWorkflowRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const workflow = {
    summary: 'Register a version of a workflow',
    tags: ['registration'],
    headers: idempotencyHeaders,
    body: workflowRegistrationSchema,
    response: { 200: workflowAnswerSchema, ...refusals },
  }
  const mayRegisterWorkflows = { permission: { audience: 'issuer', scope: 'register:workflow' } } as const
  app.post('/intent/register/workflow', { config: mayRegisterWorkflows, schema: workflow }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const client_id = body.app_id ?? caller.client_id
    const event = { action: 'workflow.register', client_id, details: { workflow_id: body.workflow_id } } as const
    const asked = { ...idempotency(request, headers), body, answer: workflowAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerWorkflow(tx, caller, body)))
  })
}
