import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import {
  getOwners,
  ownerSchema,
  ownerTransferredSchema,
  ownerTransferSchema,
  transferOwner,
} from '../../registry/owners.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const tags = ['administration']

/** GET /admin/v1/owners, POST /admin/v1/owners/transfer. */
export async function adminOwnerRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const list = {
    summary: 'Owners of clients, and how many each has',
    tags,
    querystring: pageQuery,
    response: { 200: listOf(ownerSchema), ...problems },
  }
  app.get('/admin/v1/owners', { config, schema: list }, async request => {
    return await read(ctx, callerOf(request), { details: {} }, () => getOwners(ctx, pageOfQuery(request.query)))
  })
  const transfer = {
    summary: 'Give every client of one owner to another',
    tags,
    headers: idempotencyHeaders,
    body: ownerTransferSchema,
    response: { 200: ownerTransferredSchema, ...problems },
  }
  app.post('/admin/v1/owners/transfer', { config, schema: transfer }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'owner.transfer', details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: ownerTransferredSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => transferOwner(tx, caller, body)))
  })
}
