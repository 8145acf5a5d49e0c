import { z } from 'zod'
import {
  executionFilterSchema,
  executionIdSchema,
  executionSummarySchema,
  executionViewSchema,
} from '../../../protocol/execution.ts'
import type { Context } from '../../context.ts'
import { read } from '../../registry/act.ts'
import { getExecution, getExecutions } from '../../registry/execution-views.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'audit:read' } } as const
const tags = ['administration']

/** GET /admin/v1/executions and /admin/v1/executions/{id}: those of every client (protocol.md section 11). */
export async function adminExecutionRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const list = {
    summary: 'Executions, the newest first',
    tags,
    querystring: executionFilterSchema.safeExtend(pageQuery.shape),
    response: { 200: listOf(executionSummarySchema), ...problems },
  }
  app.get('/admin/v1/executions', { config, schema: list }, async request => {
    const { cursor: _cursor, limit: _limit, ...filter } = request.query
    const { client_id } = filter
    return await read(ctx, callerOf(request), { ...(client_id && { client_id }), details: {} }, () =>
      getExecutions(ctx, filter, pageOfQuery(request.query)),
    )
  })
  const show = {
    summary: 'One execution: steps and their order, tokens, delegations and approvals',
    tags,
    params: z.object({ execution_id: executionIdSchema }),
    response: { 200: executionViewSchema, ...problems },
  }
  app.get('/admin/v1/executions/:execution_id', { config, schema: show }, async request => {
    const { execution_id } = request.params
    return await read(ctx, callerOf(request), { execution_id, details: {} }, () => getExecution(ctx, execution_id))
  })
}
