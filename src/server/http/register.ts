import { z } from 'zod'
import {
  AGENT_BATCH_MAX,
  type AgentRegistration,
  agentRegistrationSchema,
  batchAnswerSchema,
  registrationAnswerSchema,
} from '../../protocol/agent.ts'
import { previewAnswerSchema } from '../../protocol/agent-views.ts'
import { memberAt } from '../../protocol/exact-json.ts'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { agentIdSchema } from '../../protocol/names.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { act, auditedRead, read } from '../registry/act.ts'
import { registerBatch } from '../registry/agent-batch.ts'
import { previewAgent } from '../registry/agent-preview.ts'
import { registerAgent } from '../registry/agent-registration.ts'
import { speaksFor } from '../registry/app-client.ts'
import { mayReadComponents } from '../registry/component-reads.ts'
import { fetchSignerAhead } from '../registry/key-statements.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { batchOf, comparedItems, readItems } from './batch-items.ts'
import { callerOf } from './bearer-auth.ts'
import { exactBatch, exactRegistration } from './exact-registration.ts'

const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  422: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}
const config = { permission: { audience: 'issuer', scope: 'register:intent' } } as const
const tags = ['registration']
const agentBatchSchema = z.strictObject({ registration_requests: batchOf(agentRegistrationSchema, AGENT_BATCH_MAX) })

/**
 * POST /intent/register/agent and its preview (protocol.md section 4). A preview says what changes only to a token that
 * also has `read:agent-components`, and is then an audited read like others that show components (section 2).
 */
export async function registerAgentRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const agent = {
    summary: 'Register a version of an agent',
    tags,
    headers: idempotencyHeaders,
    body: agentRegistrationSchema,
    response: { 200: registrationAnswerSchema, ...refusals },
  }
  app.post('/intent/register/agent', { config, schema: agent }, async (request, reply) => {
    const body = exactRegistration(request.bodyText, request.body)
    const caller = callerOf(request)
    const { agent_id } = body.agent_components
    const event = { action: 'agent.register', client_id: body.app_id, agent_id, details: {} } as const
    const asked = { ...idempotency(request, request.headers), body, answer: registrationAnswerSchema }
    await fetchSignersAhead(ctx, caller, [body])
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerAgent(tx, caller, body)))
  })
  const preview = {
    summary:
      'What registering a version of an agent would do: status, warnings, and, with read:agent-components, what changed',
    tags,
    body: agentRegistrationSchema,
    response: { 200: previewAnswerSchema, ...refusals },
  }
  app.post('/intent/register/agent/preview', { config, schema: preview }, async request => {
    const body = exactRegistration(request.bodyText, request.body)
    const caller = callerOf(request)
    const { agent_id } = body.agent_components
    const event = { client_id: body.app_id, agent_id, details: { preview: true } }
    await fetchSignersAhead(ctx, caller, [body])
    if (!mayReadComponents(caller)) return await read(ctx, caller, event, () => previewAgent(ctx, caller, body))
    return await auditedRead(ctx, caller, event, async tx => {
      const answer = await previewAgent(tx, caller, body)
      const { against, diff } = answer
      return { body: answer, details: against && diff ? { components_of: [against.registration_id] } : undefined }
    })
  })
}

/** POST /intent/batch_register/agent (protocol.md section 4). */
export async function registerAgentBatchRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const batch = {
    summary: 'Register versions of several agents, all or none',
    tags,
    headers: idempotencyHeaders,
    body: agentBatchSchema,
    response: { 200: batchAnswerSchema, ...refusals },
  }
  app.post('/intent/batch_register/agent', { config, schema: batch }, async (request, reply) => {
    const { registration_requests: sent } = request.body
    const items = exactBatch(request.bodyText, readItems(agentRegistrationSchema, sent, agentIdOf))
    const caller = callerOf(request)
    const event = { action: 'agent.batch_register', details: { asked: items.length } } as const
    const body = { registration_requests: comparedItems(sent, items) }
    const asked = { ...idempotency(request, request.headers), body, answer: batchAnswerSchema }
    const bodies = items.flatMap(item => ('body' in item ? [item.body] : []))
    await fetchSignersAhead(ctx, caller, bodies)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => registerBatch(tx, caller, items)))
  })
}

function agentIdOf(item: unknown): string | undefined {
  return agentIdSchema.safeParse(memberAt(item, ['agent_components', 'agent_id'])).data
}

/** The keys that may have signed a key statement, before the transaction that looks at it. */
async function fetchSignersAhead(ctx: Context, caller: Caller, bodies: readonly AgentRegistration[]): Promise<void> {
  for (const { app_id, key_statement } of bodies) {
    if (key_statement !== undefined && speaksFor(caller, app_id)) await fetchSignerAhead(ctx, app_id, key_statement)
  }
}
