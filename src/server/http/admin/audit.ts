import { z } from 'zod'
import { clientIdSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { read } from '../../registry/act.ts'
import { listAuditRows } from '../../store/audit.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'audit:read' } } as const

const auditRowSchema = z.object({
  id: z.string(),
  at: z.string(),
  action: z.string(),
  outcome: z.string(),
  reason: z.string().nullable(),
  actor: z.string(),
  client_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  execution_id: z.string().nullable(),
  jti: z.string().nullable(),
  request_id: z.string(),
  address: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
})

/**
 * GET /admin/v1/audit: the newest rows, newest first; with `after`, an id, those that follow it, oldest first.
 * `next_cursor` is the newest id seen: what to send as `after` to go on.
 */
export async function adminAuditRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Audit trail',
    tags: ['administration'],
    querystring: pageQuery
      .omit({ cursor: true })
      .extend({ after: z.uuid().optional(), client_id: clientIdSchema.optional() }),
    response: { 200: listOf(auditRowSchema), ...problems },
  }
  app.get('/admin/v1/audit', { config, schema }, async request => {
    const { limit, after, client_id } = request.query
    const filter = { limit, ...(after !== undefined && { after }), ...(client_id !== undefined && { client_id }) }
    return await read(ctx, callerOf(request), { details: {} }, async () => {
      const rows = await listAuditRows(ctx, filter)
      const newest = after === undefined ? rows[0] : rows.at(-1)
      const items = rows.map(row => ({ ...row, at: row.at.toISOString(), details: { ...row.details } }))
      return { items, next_cursor: newest?.id ?? after ?? null }
    })
  })
}
