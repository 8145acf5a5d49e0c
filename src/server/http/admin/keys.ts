import { keyRotationAnswerSchema, keyRotationSchema, tokenKeySchema } from '../../../protocol/token-key.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { getTokenKeys, previewRotation, rotateTokenKey } from '../../registry/token-keys.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:keys' } } as const
const tags = ['administration']

/** GET /admin/v1/keys, POST /admin/v1/keys/rotate (protocol.md sections 9 and 11). */
export async function adminKeyRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const list = {
    summary: 'Token keys of this server in every state, the newest first',
    tags,
    querystring: pageQuery,
    response: { 200: listOf(tokenKeySchema), ...problems },
  }
  app.get('/admin/v1/keys', { config, schema: list }, async request => {
    return await read(ctx, callerOf(request), { details: {} }, () => getTokenKeys(ctx, pageOfQuery(request.query)))
  })
  const rotate = {
    summary: 'Publish a new token key, which signs when its lead has passed; dry_run says what would happen',
    tags,
    headers: idempotencyHeaders,
    body: keyRotationSchema,
    response: { 200: keyRotationAnswerSchema, 201: keyRotationAnswerSchema, ...problems },
  }
  app.post('/admin/v1/keys/rotate', { config, schema: rotate }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    if (body.dry_run) {
      const details = { alg: body.alg, dry_run: true }
      return await read(ctx, caller, { details }, () => previewRotation(ctx, body))
    }
    const event = { action: 'key.rotate', details: { alg: body.alg } } as const
    const asked = { ...idempotency(request, headers), body, answer: keyRotationAnswerSchema }
    const answer = await act(ctx, caller, event, asked, tx => rotateTokenKey(tx, body))
    // It is published here at once, and at the other nodes when they read their keys.
    await ctx.keys.refresh()
    reply.code(201)
    return answerAct(reply, answer)
  })
}
