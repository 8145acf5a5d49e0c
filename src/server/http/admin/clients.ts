import { z } from 'zod'
import { clientCreateSchema, clientSchema } from '../../../protocol/client.ts'
import { clientIdSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { clientCreatedSchema, createClient, getClient, getClients } from '../../registry/clients.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const tags = ['administration']

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
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createClient(tx, caller, body)))
  })
  const list = {
    summary: 'Clients',
    tags,
    querystring: pageQuery,
    response: { 200: listOf(clientSchema), ...problems },
  }
  app.get('/admin/v1/clients', { config, schema: list }, async request => {
    return await read(ctx, callerOf(request), { details: {} }, () => getClients(ctx, pageOfQuery(request.query)))
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
