import { z } from 'zod'
import { auditRowSchema } from '../../../protocol/audit-views.ts'
import { agentIdSchema, clientIdSchema } from '../../../protocol/names.ts'
import { Problem } from '../../../protocol/problem.ts'
import type { ReadNotes } from '../../audit/read-notes.ts'
import type { Context } from '../../context.ts'
import { read } from '../../registry/act.ts'
import { auditRowView } from '../../registry/audit-views.ts'
import { type AuditFilter, type AuditPage, findAuditRow, listAuditRows } from '../../store/audit.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'audit:read' } } as const
const name = z.string().min(1).max(256)
const instant = z.iso
  .datetime({ offset: true })
  .transform(text => new Date(text))
  .refine(at => !Number.isNaN(at.getTime()), 'must be an RFC 3339 time')

export const auditQuerySchema = z
  .strictObject({
    client_id: clientIdSchema.optional(),
    agent_id: agentIdSchema.optional(),
    execution_id: name.optional(),
    jti: name.optional(),
    request_id: z.uuid().optional(),
    // A subject name has up to 325 characters.
    actor: z.string().min(1).max(336).optional(),
    action: name.optional(),
    outcome: z.enum(['success', 'refused']).optional(),
    reason: name.optional(),
    since: instant.optional(),
    until: instant.optional(),
    after: z.uuid().optional(),
    before: z.uuid().optional(),
    limit: z
      .string()
      .regex(/^[1-9][0-9]{0,3}$/, 'limit is a number from 1 to 1000.')
      .transform(Number)
      .pipe(z.int().max(1000, 'limit is a number from 1 to 1000.'))
      .default(50),
  })
  .refine(query => query.agent_id === undefined || query.client_id !== undefined, {
    path: ['client_id'],
    message: 'agent_id goes with the client_id of its client.',
  })
  .refine(query => query.after === undefined || query.before === undefined, {
    path: ['before'],
    message: 'after and before are two directions; send one.',
  })

/**
 * GET /admin/v1/audit: newest first, on with `before`; with `after` or its nil id oldest first, on with `after`.
 * `next_cursor` is the id to go on with: null at the end newest first, the last id seen oldest first.
 */
export async function adminAuditRoutes(app: App, { ctx, notes }: { ctx: Context; notes: ReadNotes }): Promise<void> {
  const schema = {
    summary: 'Audit trail',
    tags: ['administration'],
    querystring: auditQuerySchema,
    response: { 200: listOf(auditRowSchema), ...problems },
  }
  app.get('/admin/v1/audit', { config, schema }, async request => {
    const caller = callerOf(request)
    const { after, before, limit, ...filter } = request.query
    return await read(ctx, caller, { details: {} }, async () => {
      await notes.note(ctx, caller, Object.keys(filter))
      return after === undefined
        ? await newestFirst(ctx, filter, before, limit)
        : await following(ctx, filter, after, limit)
    })
  })
  const one = {
    summary: 'One row of the audit trail',
    tags: ['administration'],
    params: z.object({ id: z.uuid() }),
    response: { 200: auditRowSchema, ...problems },
  }
  app.get('/admin/v1/audit/:id', { config, schema: one }, async request => {
    const caller = callerOf(request)
    return await read(ctx, caller, { details: {} }, async () => {
      await notes.note(ctx, caller, ['id'])
      const row = await findAuditRow(ctx, request.params.id)
      if (!row) throw new Problem('not_found', 'There is no row of this id in the audit trail.')
      return auditRowView(row)
    })
  })
}

async function newestFirst(ctx: Context, filter: AuditFilter, before: string | undefined, limit: number) {
  const page: AuditPage = { order: 'desc', limit: limit + 1, ...(before !== undefined && { before }) }
  const rows = await listAuditRows(ctx, filter, page)
  const items = rows.slice(0, limit)
  return { items: items.map(auditRowView), next_cursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
}

async function following(ctx: Context, filter: AuditFilter, after: string, limit: number) {
  const items = await listAuditRows(ctx, filter, { order: 'asc', limit, after })
  return { items: items.map(auditRowView), next_cursor: items.at(-1)?.id ?? after }
}
