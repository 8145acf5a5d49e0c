import { z } from 'zod'
import {
  ENTRY_KINDS,
  revocationAnswerSchema,
  revocationSchema,
  revocationViewSchema,
} from '../../../protocol/revocation.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { createRevocation, getRevocations } from '../../registry/revocations.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'revoke' } } as const
const tags = ['administration']

/** POST /admin/v1/revocations, under the exclusive gate from the first statement on (protocol.md section 9); GET. */
export async function adminRevocationRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Revoke by kind: token, registration, agent, client, execution, workflow, initiator, key',
    tags,
    headers: idempotencyHeaders,
    body: revocationSchema,
    response: { 201: revocationAnswerSchema, ...problems },
  }
  app.post('/admin/v1/revocations', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'revocation.create', details: { kind: body.kind } } as const
    const asked = {
      ...idempotency(request, headers),
      body,
      answer: revocationAnswerSchema,
      before: enterGateExclusive,
    }
    const answer = await act(ctx, caller, event, asked, tx => createRevocation(tx, caller, body))
    // A key of ours may have gone: other nodes read theirs when they meet the entry, or within 20 seconds.
    if (body.kind === 'key') await ctx.keys.refresh()
    reply.code(201)
    return answerAct(reply, answer)
  })
  const list = {
    summary: 'Revocations, of one kind or of any, the newest first, until they are purged a day after they ended',
    tags,
    querystring: pageQuery.extend({ kind: z.enum(ENTRY_KINDS).optional() }),
    response: { 200: listOf(revocationViewSchema), ...problems },
  }
  app.get('/admin/v1/revocations', { config, schema: list }, async request => {
    const { kind, ...page } = request.query
    const asked = { ...pageOfQuery(page), ...(kind && { kind }) }
    return await read(ctx, callerOf(request), { details: {} }, () => getRevocations(ctx, asked))
  })
}
