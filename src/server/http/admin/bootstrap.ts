import { Problem } from '../../../protocol/problem.ts'
import type { Context } from '../../context.ts'
import { bootstrap, bootstrapAnswerSchema, bootstrapSchema } from '../../registry/bootstrap.ts'
import type { App } from '../app-type.ts'
import { problems } from './problems.ts'

const BEARER = /^Bearer ([\x21-\x7e]{1,512})$/i

/** POST /admin/v1/bootstrap: the first administrator, by the one-time token. */
export async function bootstrapRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Make the first administrator, once',
    tags: ['administration'],
    body: bootstrapSchema,
    response: { 201: bootstrapAnswerSchema, ...problems },
  }
  app.post('/admin/v1/bootstrap', { config: { permission: 'bootstrap' }, schema }, async (request, reply) => {
    const token = BEARER.exec(request.raw.headers.authorization ?? '')?.[1]
    if (token === undefined) throw new Problem('unauthorized', 'Send the one-time token as a Bearer token.', 'no_token')
    const origin = { request_id: request.id, address: request.ip }
    return reply.code(201).send(await bootstrap(ctx, token, request.body, origin))
  })
}
