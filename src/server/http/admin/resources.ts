import { z } from 'zod'
import { resourceUriSchema } from '../../../protocol/access.ts'
import {
  resourceChangedSchema,
  resourceCreateSchema,
  resourceSchema,
  resourceUpdateSchema,
} from '../../../protocol/resource.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { changeResource, deleteResource } from '../../registry/resource-changes.ts'
import { createResource, getResource, getResources } from '../../registry/resources.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { reasonQuery } from './deletion.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:resources' } } as const
const tags = ['administration']
const nameQuery = z.strictObject({ resource: resourceUriSchema })

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
    summary: 'Protected APIs, deleted ones only with ?status=deleted; with ?resource= the one of this name',
    tags,
    querystring: pageQuery.extend({
      resource: resourceUriSchema.optional(),
      status: z.enum(['active', 'revoked', 'deleted']).optional(),
    }),
    response: { 200: listOf(resourceSchema), ...problems },
  }
  app.get('/admin/v1/resources', { config, schema: list }, async request => {
    const { resource, status, ...page } = request.query
    return await read(ctx, callerOf(request), { details: {} }, async () => {
      if (resource !== undefined) return { items: [await getResource(ctx, resource)], next_cursor: null }
      return await getResources(ctx, { ...pageOfQuery(page), status })
    })
  })
}

/** PATCH and DELETE /admin/v1/resources?resource=. */
export async function adminResourceChangeRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const update = {
    summary: 'Change members of a protected API; those left out stay',
    tags,
    headers: idempotencyHeaders,
    querystring: nameQuery,
    body: resourceUpdateSchema,
    response: { 200: resourceChangedSchema, ...problems },
  }
  app.patch('/admin/v1/resources', { config, schema: update }, async (request, reply) => {
    const { body, headers } = request
    const { resource } = request.query
    const event = { action: 'resource.update', details: { resource } } as const
    // Which resource is asked for stands in the query, and is part of what an Idempotency-Key answers for.
    const asked = { ...idempotency(request, headers), body: { resource, ...body }, answer: resourceChangedSchema }
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, tx => changeResource(tx, resource, body)))
  })
  const remove = {
    summary: 'Delete a protected API for good: nothing more is minted for it, and its name is never given out again',
    tags,
    headers: idempotencyHeaders,
    querystring: nameQuery.extend(reasonQuery.shape),
    response: { 200: resourceChangedSchema, ...problems },
  }
  app.delete('/admin/v1/resources', { config, schema: remove }, async (request, reply) => {
    const { headers, query } = request
    const { resource, reason } = query
    const event = { action: 'resource.delete', details: { resource } } as const
    const asked = {
      ...idempotency(request, headers),
      body: query,
      answer: resourceChangedSchema,
      before: enterGateExclusive,
    }
    const remove = (tx: Context) => deleteResource(tx, resource, reason)
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, remove))
  })
}
