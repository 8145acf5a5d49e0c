import { z } from 'zod'
import { clientIdSchema, workflowIdSchema } from '../../../protocol/names.ts'
import { reasonSchema } from '../../../protocol/reason.ts'
import { workflowAnswerSchema } from '../../../protocol/workflow.ts'
import { workflowDetailSchema } from '../../../protocol/workflow-views.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { getClient } from '../../registry/clients.ts'
import { approveWorkflow, rejectWorkflow } from '../../registry/workflow-approval.ts'
import { getListedWorkflows, getWorkflow, listedWorkflowSchema } from '../../registry/workflow-views.ts'
import { WORKFLOW_FILTERS } from '../../store/workflow-lists.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:agents' } } as const
const tags = ['administration']
/** Versions are counted in a 32-bit column. */
const MAX_VERSION = 2_147_483_647
const versionSchema = z.strictObject({ version: z.int().min(1).max(MAX_VERSION) })
const ofClient = z.object({ client_id: clientIdSchema })
const ofWorkflow = ofClient.extend({ workflow_id: workflowIdSchema })

const status = z.enum(WORKFLOW_FILTERS).optional()

/** GET /admin/v1/workflows[/{client_id}[/{workflow_id}]], and the decision about a version. */
export async function adminWorkflowRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const all = {
    summary: 'Workflows of all clients, or those of one client or state, with how many versions wait',
    tags,
    querystring: pageQuery.extend({ client_id: clientIdSchema.optional(), status }),
    response: { 200: listOf(listedWorkflowSchema), ...problems },
  }
  app.get('/admin/v1/workflows', { config, schema: all }, async request => {
    const { client_id, status } = request.query
    return await read(ctx, callerOf(request), { ...(client_id && { client_id }), details: {} }, async () => {
      if (client_id) await getClient(ctx, client_id)
      return await getListedWorkflows(ctx, {
        ...pageOfQuery(request.query),
        ...(client_id && { client_id }),
        ...(status && { status }),
      })
    })
  })
  const list = {
    summary: 'Workflows of a client, with how many versions wait',
    tags,
    params: ofClient,
    querystring: pageQuery.extend({ status }),
    response: { 200: listOf(listedWorkflowSchema), ...problems },
  }
  app.get('/admin/v1/workflows/:client_id', { config, schema: list }, async request => {
    const { client_id } = request.params
    const { status } = request.query
    return await read(ctx, callerOf(request), { client_id, details: {} }, async () => {
      await getClient(ctx, client_id)
      return await getListedWorkflows(ctx, { ...pageOfQuery(request.query), client_id, ...(status && { status }) })
    })
  })
  const show = {
    summary: 'One workflow with its newest versions and their steps',
    tags,
    params: ofWorkflow,
    response: { 200: workflowDetailSchema, ...problems },
  }
  app.get('/admin/v1/workflows/:client_id/:workflow_id', { config, schema: show }, async request => {
    const { client_id, workflow_id } = request.params
    const event = { client_id, details: { workflow_id } }
    return await read(ctx, callerOf(request), event, () => getWorkflow(ctx, request.params))
  })
  await app.register(decisionRoutes, { ctx })
}

async function decisionRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const decided = { tags, params: ofWorkflow, headers: idempotencyHeaders }
  const response = { 200: workflowAnswerSchema, ...problems }
  const approve = { ...decided, summary: 'Approve a pending version of a workflow', body: versionSchema, response }
  const base = '/admin/v1/workflows/:client_id/:workflow_id'
  app.post(`${base}/approve`, { config, schema: approve }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const details = { workflow_id: params.workflow_id, version: body.version }
    const event = { action: 'workflow.approve', client_id: params.client_id, details } as const
    const asked = { ...idempotency(request, headers), body, answer: workflowAnswerSchema }
    const approved = await act(ctx, caller, event, asked, tx => approveWorkflow(tx, caller, params, body.version))
    return answerAct(reply, approved)
  })
  const rejection = versionSchema.extend({ reason: reasonSchema })
  const reject = { ...decided, summary: 'Reject a pending version of a workflow', body: rejection, response }
  app.post(`${base}/reject`, { config, schema: reject }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const details = { workflow_id: params.workflow_id, version: body.version }
    const event = { action: 'workflow.reject', client_id: params.client_id, details } as const
    const asked = { ...idempotency(request, headers), body, answer: workflowAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => rejectWorkflow(tx, caller, params, body)))
  })
}
