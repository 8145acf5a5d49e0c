import { z } from 'zod'
import {
  webhookCreatedSchema,
  webhookCreateSchema,
  webhookDeliverySchema,
  webhookIdSchema,
  webhookSchema,
} from '../../../protocol/webhook.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { createWebhook, getDeliveries, getWebhooks, removeWebhook } from '../../registry/webhooks.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const tags = ['administration']
const params = z.object({ id: webhookIdSchema })

/** POST and GET /admin/v1/webhooks, DELETE …/{id}, GET …/{id}/deliveries: who is told of approvals. */
export async function adminWebhookRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Tell a URL of every approval that is opened or decided; the secret is shown once',
    tags,
    headers: idempotencyHeaders,
    body: webhookCreateSchema,
    response: { 201: webhookCreatedSchema, ...problems },
  }
  app.post('/admin/v1/webhooks', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'webhook.create', details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: webhookCreatedSchema }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createWebhook(tx, caller, body)))
  })
  const list = {
    summary: 'Webhooks, the newest first; never their secrets',
    tags,
    querystring: pageQuery,
    response: { 200: listOf(webhookSchema), ...problems },
  }
  app.get('/admin/v1/webhooks', { config, schema: list }, async request => {
    return await read(ctx, callerOf(request), { details: {} }, () => getWebhooks(ctx, pageOfQuery(request.query)))
  })
  const remove = {
    summary: 'Delete a webhook; it is told nothing any more',
    tags,
    params,
    headers: idempotencyHeaders,
    response: { 200: webhookSchema, ...problems },
  }
  app.delete('/admin/v1/webhooks/:id', { config, schema: remove }, async (request, reply) => {
    const { headers, params } = request
    const event = { action: 'webhook.delete', details: { webhook_id: params.id } } as const
    const asked = { ...idempotency(request, headers), body: {}, answer: webhookSchema }
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, tx => removeWebhook(tx, params.id)))
  })
  const deliveries = {
    summary: 'What a webhook was told in the last week and is to be told, the newest first',
    tags,
    params,
    querystring: pageQuery,
    response: { 200: listOf(webhookDeliverySchema), ...problems },
  }
  app.get('/admin/v1/webhooks/:id/deliveries', { config, schema: deliveries }, async request => {
    const { params, query } = request
    const event = { details: { webhook_id: params.id } }
    return await read(ctx, callerOf(request), event, () => getDeliveries(ctx, params.id, pageOfQuery(query)))
  })
}
