import { z } from 'zod'
import { OAuthError } from '../../protocol/errors.ts'
import {
  type ExecutionOpen,
  executionIdSchema,
  executionOpenSchema,
  executionSummarySchema,
  executionViewSchema,
} from '../../protocol/execution.ts'
import { JWT_TYPE } from '../../protocol/grant-types.ts'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { act, read } from '../registry/act.ts'
import { getExecution } from '../registry/execution-views.ts'
import { openExecution } from '../registry/executions.ts'
import { enterGateShared } from '../store/gate.ts'
import { findActiveWorkflow } from '../store/workflows.ts'
import { type ForeignSubject, readForeignSubject } from '../token/subject-token.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'

/** Whoever may mint in an execution may see it: the client's processes need no right beyond the one they run by. */
const config = { permission: { audience: 'issuer', scope: 'generate:intent-token' } } as const
const tags = ['executions']
const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  404: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}

/**
 * POST /intent/executions and GET /intent/executions/{id} (protocol.md sections 2 and 6), with the scope
 * `generate:intent-token`, and only for the execution's own client: `registers_for` does not count, because what another
 * client runs is not what is registered for it.
 */
export async function executionRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const open = {
    summary:
      'Open an execution of a workflow ahead of its first mint, for the user of a subject token or for the client',
    tags,
    headers: idempotencyHeaders,
    body: executionOpenSchema,
    response: { 200: executionSummarySchema, 201: executionSummarySchema, ...refusals, 422: oauthErrorSchema },
  }
  app.post('/intent/executions', { config, schema: open }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const { client_id } = caller
    const details = { workflow_id: await knownWorkflow(ctx, client_id, body.workflow_id) }
    const event = { action: 'execution.open', client_id, details } as const
    const asked = {
      ...idempotency(request, headers),
      ...{ body, answer: executionSummarySchema, before: enterGateShared },
    }
    const initiator = await readInitiator(ctx, caller, body)
    const opened = await act(ctx, caller, event, asked, tx => openExecution(tx, caller, body, initiator))
    reply.code(opened.status === 201 ? 201 : 200)
    return answerAct(reply, opened)
  })
  const show = {
    summary: "One execution of the caller's own client: steps, tokens, delegations and approvals",
    tags,
    params: z.object({ execution_id: executionIdSchema }),
    response: { 200: executionViewSchema, ...refusals },
  }
  app.get('/intent/executions/:execution_id', { config, schema: show }, async request => {
    const { execution_id } = request.params
    const caller = callerOf(request)
    return await read(ctx, caller, { execution_id, details: {} }, () =>
      getExecution(ctx, execution_id, caller.client_id),
    )
  })
}

/** A secret that was pasted into the wrong member must not come to rest in the trail (attack 111). */
async function knownWorkflow(ctx: Context, client_id: string, workflow_id: string): Promise<string | null> {
  return (await findActiveWorkflow(ctx, client_id, workflow_id)) ? workflow_id : null
}

/** What a subject token is taken for that comes without its type. */
/** Asked before the transaction, because keys may have to be fetched; a refusal is the act's to record. */
async function readInitiator(
  ctx: Context,
  { client_id }: Caller,
  { subject_token: token, subject_token_type: type = JWT_TYPE }: ExecutionOpen,
): Promise<ForeignSubject | OAuthError | undefined> {
  if (token === undefined) return undefined
  try {
    // A token that is bound to a key needs the agent's mint, which proves that key; here the proof is the client's.
    return await readForeignSubject(ctx, { token, type }, { client_id, purposes: ['user'], proof: undefined })
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
}
