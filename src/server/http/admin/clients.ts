import { z } from 'zod'
import { clientCreateSchema, clientSchema } from '../../../protocol/client.ts'
import { clientIdSchema, subjectNameSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { tryJwksUri } from '../../registry/client-keys.ts'
import { clientCreatedSchema } from '../../registry/client-view.ts'
import { createClient, getClient, getClients } from '../../registry/clients.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const tags = ['administration']
const listQuery = pageQuery.extend({
  owner: subjectNameSchema.optional(),
  kind: z.enum(['app', 'service', 'operator']).optional(),
  status: z.enum(['active', 'revoked', 'deleted']).optional(),
})

/** POST and GET /admin/v1/clients. */
export async function adminClientRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Create a client; a secret is shown once',
    tags,
    headers: idempotencyHeaders,
    body: clientCreateSchema,
    response: { 201: clientCreatedSchema, ...problems },
  }
  app.post('/admin/v1/clients', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = {
      action: 'client.create',
      ...(body.client_id && { client_id: body.client_id }),
      details: {},
    } as const
    const asked = { ...idempotency(request, headers), body, answer: clientCreatedSchema }
    const keysProblem = await tryJwksUri(ctx, body.jwks_uri)
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createClient(tx, caller, body, keysProblem)))
  })
  const list = {
    summary: 'Clients by owner, kind and status; deleted ones only with ?status=deleted',
    tags,
    querystring: listQuery,
    response: { 200: listOf(clientSchema), ...problems },
  }
  app.get('/admin/v1/clients', { config, schema: list }, async request => {
    const { owner, kind, status, ...page } = request.query
    const asked = { ...pageOfQuery(page), owner, kind, status }
    return await read(ctx, callerOf(request), { details: {} }, () => getClients(ctx, asked))
  })
  const show = {
    summary: 'One client',
    tags,
    params: z.object({ client_id: clientIdSchema }),
    response: { 200: clientSchema, ...problems },
  }
  app.get('/admin/v1/clients/:client_id', { config, schema: show }, async request => {
    const { client_id } = request.params
    return await read(ctx, callerOf(request), { client_id, details: {} }, () => getClient(ctx, client_id))
  })
}
