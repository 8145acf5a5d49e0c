import { z } from 'zod'
import { consoleLinkSchema } from '../../../protocol/console-session.ts'
import type { Context } from '../../context.ts'
import { act } from '../../registry/act.ts'
import { createConsoleLink } from '../../registry/console-sessions.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'any' } } as const

/** POST /admin/v1/console/links: by a token only, never by a console session. */
export async function adminConsoleRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'A link that opens the console once, within a minute',
    tags: ['console'],
    headers: idempotencyHeaders,
    body: z.strictObject({}),
    response: { 201: consoleLinkSchema, ...problems },
  }
  app.post('/admin/v1/console/links', { config, schema }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const asked = { ...idempotency(request, headers), body, answer: consoleLinkSchema }
    reply.code(201)
    const event = { action: 'console.link', details: {} } as const
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createConsoleLink(tx, caller)))
  })
}
