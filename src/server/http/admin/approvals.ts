import { z } from 'zod'
import {
  approvalDecisionSchema,
  approvalDetailSchema,
  approvalFilterSchema,
  approvalSchema,
} from '../../../protocol/approval.ts'
import type { Context } from '../../context.ts'
import { act, auditedRead, read } from '../../registry/act.ts'
import { decideApproval } from '../../registry/approval-decision.ts'
import { approvalEvent, getApproval, getApprovals } from '../../registry/approvals.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:steps' } } as const
const tags = ['administration']
const params = z.object({ id: z.string().regex(/^apr_[A-Za-z0-9_-]{22}$/, 'must be an approval_id') })

/** GET /admin/v1/approvals[/{id}], and the decision about one (protocol.md section 6). */
export async function adminApprovalRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const list = {
    summary: 'Approvals of steps, the newest first; those that wait unless ?status= asks for others',
    tags,
    querystring: pageQuery.extend(approvalFilterSchema.shape),
    response: { 200: listOf(approvalSchema), ...problems },
  }
  app.get('/admin/v1/approvals', { config, schema: list }, async request => {
    const { status, execution_id, ...page } = request.query
    const asked = { ...pageOfQuery(page), status, execution_id }
    return await read(ctx, callerOf(request), { details: {} }, () => getApprovals(ctx, asked))
  })
  const show = {
    summary: 'One approval with the exact arguments that are asked for; the read is audited',
    tags,
    params,
    response: { 200: approvalDetailSchema, ...problems },
  }
  app.get('/admin/v1/approvals/:id', { config, schema: show }, async request => {
    const { id } = request.params
    return await auditedRead(ctx, callerOf(request), await approvalEvent(ctx, id), tx => getApproval(tx, id))
  })
  const decide = {
    summary: 'Grant or deny an approval, naming the digest of what was read',
    tags,
    params,
    headers: idempotencyHeaders,
    body: approvalDecisionSchema,
    response: { 200: approvalSchema, ...problems },
  }
  app.post('/admin/v1/approvals/:id', { config, schema: decide }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const action = body.decision === 'grant' ? 'approval.grant' : 'approval.deny'
    const event = { action, ...(await approvalEvent(ctx, params.id)) } as const
    const asked = { ...idempotency(request, headers), body, answer: approvalSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => decideApproval(tx, caller, params.id, body)))
  })
}
