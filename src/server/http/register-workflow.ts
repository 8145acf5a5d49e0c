import { z } from 'zod'
import { memberAt } from '../../protocol/exact-json.ts'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { workflowIdSchema } from '../../protocol/names.ts'
import {
  WORKFLOW_BATCH_MAX,
  workflowAnswerSchema,
  workflowBatchAnswerSchema,
  workflowDeregisteredSchema,
  workflowDeregistrationSchema,
  workflowRegistrationSchema,
} from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import { act } from '../registry/act.ts'
import { registerWorkflows } from '../registry/workflow-batch.ts'
import { deregisterWorkflow, enterGateToDeregister } from '../registry/workflow-deregistration.ts'
import { registerWorkflow } from '../registry/workflows.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { batchOf, comparedItems, readItems } from './batch-items.ts'
import { callerOf } from './bearer-auth.ts'

const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  422: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}
const openExecutions = { 409: oauthErrorSchema }
const config = { permission: { audience: 'issuer', scope: 'register:workflow' } } as const
const tags = ['registration']
const definitions = batchOf(workflowRegistrationSchema, WORKFLOW_BATCH_MAX)
const workflowBatchSchema = z.strictObject({ workflow_definitions: definitions })

/** POST /intent/register/workflow and /intent/deregister/workflow (protocol.md section 5). */
export async function registerWorkflowRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const one = {
    summary: 'Register a version of a workflow',
    tags,
    headers: idempotencyHeaders,
    body: workflowRegistrationSchema,
    response: { 200: workflowAnswerSchema, ...refusals },
  }
  app.post('/intent/register/workflow', { config, schema: one }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const client_id = body.app_id ?? caller.client_id
    const event = { action: 'workflow.register', client_id, details: { workflow_id: body.workflow_id } } as const
    const asked = { ...idempotency(request, headers), body, answer: workflowAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerWorkflow(tx, caller, body)))
  })
  const end = {
    summary: 'Deregister a workflow: nothing is minted for it any more; 409 with open executions unless close=true',
    tags,
    headers: idempotencyHeaders,
    querystring: workflowDeregistrationSchema,
    response: { 200: workflowDeregisteredSchema, ...refusals, ...openExecutions },
  }
  app.post('/intent/deregister/workflow', { config, schema: end }, async (request, reply) => {
    const { query, headers } = request
    const caller = callerOf(request)
    const client_id = query.app_id ?? caller.client_id
    const event = { action: 'workflow.deregister', client_id, details: { workflow_id: query.workflow_id } } as const
    const asked = {
      ...idempotency(request, headers),
      body: query,
      answer: workflowDeregisteredSchema,
      before: (tx: Context) => enterGateToDeregister(tx, caller, query),
    }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => deregisterWorkflow(tx, caller, query)))
  })
}

/** POST /intent/batch_register/workflow: all or nothing. */
export async function registerWorkflowsRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Register several workflows, or none of them',
    tags,
    headers: idempotencyHeaders,
    body: workflowBatchSchema,
    response: { 200: workflowBatchAnswerSchema, ...refusals },
  }
  app.post('/intent/batch_register/workflow', { config, schema }, async (request, reply) => {
    const { workflow_definitions: sent } = request.body
    const items = readItems(workflowRegistrationSchema, sent, workflowIdOf)
    const caller = callerOf(request)
    const workflow_ids = items.flatMap(item => ('body' in item ? item.body.workflow_id : (item.id ?? [])))
    const event = { action: 'workflow.batch_register', details: { workflow_ids } } as const
    const body = { workflow_definitions: comparedItems(sent, items) }
    const asked = { ...idempotency(request, request.headers), body, answer: workflowBatchAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerWorkflows(tx, caller, items)))
  })
}

function workflowIdOf(item: unknown): string | undefined {
  return workflowIdSchema.safeParse(memberAt(item, ['workflow_id'])).data
}
