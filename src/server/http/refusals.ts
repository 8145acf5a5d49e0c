import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { refusalReportSchema, refusalsRecordedSchema } from '../../protocol/refusal-counts.ts'
import type { Context } from '../context.ts'
import { act } from '../registry/act.ts'
import { reportRefusals } from '../registry/refusal-reports.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'
import { acceptJson } from './strict-body.ts'

const config = { permission: { audience: 'issuer', scope: 'report:refusals' } } as const
const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  422: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}

/** POST /intent/refusals (protocol.md section 2): counts by reason go into the metrics, and one row into the trail. */
export async function refusalsRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  acceptJson(app)
  const schema = {
    summary: 'Report how many requests an API refused, by reason; only by the client of that resource',
    tags: ['resources'],
    headers: idempotencyHeaders,
    body: refusalReportSchema,
    response: { 200: refusalsRecordedSchema, ...refusals },
  }
  app.post('/intent/refusals', { config, schema }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    ctx.limits.report(caller.client_id)
    const event = { action: 'refusal.report', details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: refusalsRecordedSchema }
    const answer = await act(ctx, caller, event, asked, tx => reportRefusals(tx, caller, body))
    if (!answer.replayed) {
      for (const { reason, n } of answer.body.counts) ctx.metrics.resourceRefusals.inc({ reason }, n)
    }
    return answerAct(reply, answer)
  })
}
