import { resourceUriSchema } from '../../../protocol/access.ts'
import { resourceCreateSchema, resourceSchema } from '../../../protocol/resource.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { createResource, getResource, getResources } from '../../registry/resources.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:resources' } } as const
const tags = ['administration']

/** POST and GET /admin/v1/resources; one record by `?resource=`, because a URI is no path segment. */
export async function adminResourceRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Register a protected API',
    tags,
    headers: idempotencyHeaders,
    body: resourceCreateSchema,
    response: { 201: resourceSchema, ...problems },
  }
  app.post('/admin/v1/resources', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'resource.create', details: { resource: body.resource } } as const
    const asked = { ...idempotency(request, headers), body, answer: resourceSchema }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createResource(tx, caller, body)))
  })
  const list = {
    summary: 'Protected APIs, or with ?resource= the one of this name',
    tags,
    querystring: pageQuery.extend({ resource: resourceUriSchema.optional() }),
    response: { 200: listOf(resourceSchema), ...problems },
  }
  app.get('/admin/v1/resources', { config, schema: list }, async request => {
    const { resource, ...page } = request.query
    return await read(ctx, callerOf(request), { details: {} }, async () => {
      if (resource !== undefined) return { items: [await getResource(ctx, resource)], next_cursor: null }
      return await getResources(ctx, pageOfQuery(page))
    })
  })
}
