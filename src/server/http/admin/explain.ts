import { z } from 'zod'
import { explanationSchema } from '../../../protocol/audit-views.ts'
import type { ReadNotes } from '../../audit/read-notes.ts'
import type { Context } from '../../context.ts'
import { read } from '../../registry/act.ts'
import { explain } from '../../registry/explain.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'audit:read' } } as const

/** GET /admin/v1/explain/{id}: a jti, an audit id or a request id. */
export async function adminExplainRoute(app: App, { ctx, notes }: { ctx: Context; notes: ReadNotes }): Promise<void> {
  const schema = {
    summary: 'Why a token, a request or an act was answered as it was',
    tags: ['administration'],
    params: z.object({ id: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be a jti, an audit id or a request id') }),
    response: { 200: explanationSchema, ...problems },
  }
  app.get('/admin/v1/explain/:id', { config, schema }, async request => {
    const caller = callerOf(request)
    return await read(ctx, caller, { details: {} }, async () => {
      await notes.note(ctx, caller, ['id'])
      return await explain(ctx, request.params.id)
    })
  })
}
