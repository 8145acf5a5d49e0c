import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { OAuthError } from '../../protocol/errors.ts'
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
}

/** Each report is a row of the trail: so many a minute of one client, at each node. */
const REPORTS_A_MINUTE = 60

/** POST /intent/refusals (protocol.md section 2): counts by reason go into the metrics, and one row into the trail. */
export async function refusalsRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  acceptJson(app)
  const reports = new RateLimiterMemory({ points: REPORTS_A_MINUTE, duration: 60 })
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
    await checkRate(reports, caller.client_id)
    const event = { action: 'refusal.report', details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: refusalsRecordedSchema }
    const answer = await act(ctx, caller, event, asked, tx => reportRefusals(tx, caller, body))
    if (!answer.replayed) {
      for (const { reason, n } of answer.body.counts) ctx.metrics.resourceRefusals.inc({ reason }, n)
    }
    return answerAct(reply, answer)
  })
}

async function checkRate(reports: RateLimiterMemory, client_id: string): Promise<void> {
  try {
    await reports.consume(client_id)
  } catch (state) {
    if (!(state instanceof RateLimiterRes)) throw state
    throw new OAuthError('temporarily_unavailable', 'Too many reports; send what was refused together, every 10 s.', {
      reason: 'too_many_reports',
      status: 429,
      retry_after: Math.ceil(state.msBeforeNext / 1000),
    })
  }
}
