import { z } from 'zod'
import { clientIdSchema, workflowIdSchema } from '../../../protocol/names.ts'
import { workflowAnswerSchema } from '../../../protocol/workflow.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { getClient } from '../../registry/clients.ts'
import { approveWorkflow, getWorkflows, workflowViewSchema } from '../../registry/workflows.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:agents' } } as const
const tags = ['administration']
/** Versions are counted in a 32-bit column. */
const MAX_VERSION = 2_147_483_647

/** GET /admin/v1/workflows/{client_id} and the approval of a version. */
export async function adminWorkflowRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const ofClient = z.object({ client_id: clientIdSchema })
  const list = {
    summary: 'Workflows of a client',
    tags,
    params: ofClient,
    querystring: pageQuery,
    response: { 200: listOf(workflowViewSchema), ...problems },
  }
  app.get('/admin/v1/workflows/:client_id', { config, schema: list }, async request => {
    const { client_id } = request.params
    return await read(ctx, callerOf(request), { client_id, details: {} }, async () => {
      await getClient(ctx, client_id)
      return await getWorkflows(ctx, client_id, pageOfQuery(request.query))
    })
  })
  const approve = {
    summary: 'Approve a pending version of a workflow',
    tags,
    params: ofClient.extend({ workflow_id: workflowIdSchema }),
    headers: idempotencyHeaders,
    body: z.strictObject({ version: z.int().min(1).max(MAX_VERSION) }),
    response: { 200: workflowAnswerSchema, ...problems },
  }
  app.post(
    '/admin/v1/workflows/:client_id/:workflow_id/approve',
    { config, schema: approve },
    async (request, reply) => {
      const { body, headers, params } = request
      const caller = callerOf(request)
      const details = { workflow_id: params.workflow_id, version: body.version }
      const event = { action: 'workflow.approve', client_id: params.client_id, details } as const
      const asked = { ...idempotency(request, headers), body, answer: workflowAnswerSchema }
      const approved = await act(ctx, caller, event, asked, tx => approveWorkflow(tx, caller, params, body.version))
      return answerAct(reply, approved)
    },
  )
}
