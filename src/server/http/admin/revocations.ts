import type { Context } from '../../context.ts'
import { act } from '../../registry/act.ts'
import { createRevocation, revocationAnswerSchema, revocationSchema } from '../../registry/revocations.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'revoke' } } as const

/** POST /admin/v1/revocations: under the exclusive gate from the first statement on (protocol.md section 9). */
export async function adminRevocationRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Revoke a token, a version, an agent or a client, for good',
    tags: ['administration'],
    headers: idempotencyHeaders,
    body: revocationSchema,
    response: { 201: revocationAnswerSchema, ...problems },
  }
  app.post('/admin/v1/revocations', { config, schema }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'revocation.create', details: { kind: body.kind } } as const
    const asked = {
      ...idempotency(request, headers),
      body,
      answer: revocationAnswerSchema,
      before: enterGateExclusive,
    }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => createRevocation(tx, caller, body)))
  })
}
