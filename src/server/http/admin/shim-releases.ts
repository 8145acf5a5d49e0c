import { z } from 'zod'
import { shimReleaseCreateSchema, shimReleaseSchema, shimVersionSchema } from '../../../protocol/shim-release.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { createShimRelease, getShimReleases, withdrawShimRelease } from '../../registry/shim-releases.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:resources' } } as const
const tags = ['administration']

/** POST and GET /admin/v1/shim-releases, DELETE …/{version}: withdrawn, its row stays. */
export async function adminShimReleaseRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Release a version of the shim by its checksum',
    tags,
    headers: idempotencyHeaders,
    body: shimReleaseCreateSchema,
    response: { 201: shimReleaseSchema, ...problems },
  }
  app.post('/admin/v1/shim-releases', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'shim_release.create', details: { version: body.version } } as const
    const asked = { ...idempotency(request, headers), body, answer: shimReleaseSchema }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createShimRelease(tx, caller, body)))
  })
  const list = {
    summary: 'Releases of the shim, withdrawn ones too',
    tags,
    querystring: pageQuery,
    response: { 200: listOf(shimReleaseSchema), ...problems },
  }
  app.get('/admin/v1/shim-releases', { config, schema: list }, async request => {
    return await read(ctx, callerOf(request), { details: {} }, () => getShimReleases(ctx, pageOfQuery(request.query)))
  })
  const withdraw = {
    summary: 'Withdraw a release: policy min_release takes it no more',
    tags,
    params: z.object({ version: shimVersionSchema }),
    headers: idempotencyHeaders,
    response: { 200: shimReleaseSchema, ...problems },
  }
  app.delete('/admin/v1/shim-releases/:version', { config, schema: withdraw }, async (request, reply) => {
    const { headers, params } = request
    const event = { action: 'shim_release.withdraw', details: { version: params.version } } as const
    const asked = { ...idempotency(request, headers), body: {}, answer: shimReleaseSchema }
    return answerAct(
      reply,
      await act(ctx, callerOf(request), event, asked, tx => withdrawShimRelease(tx, params.version)),
    )
  })
}
