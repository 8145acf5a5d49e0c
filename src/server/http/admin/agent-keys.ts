import { z } from 'zod'
import { addAgentKeySchema } from '../../../protocol/agent.ts'
import { agentKeyRemovedSchema } from '../../../protocol/agent-acts.ts'
import { agentKeyViewSchema } from '../../../protocol/agent-views.ts'
import { agentIdSchema, clientIdSchema } from '../../../protocol/names.ts'
import { thumbprintSchema } from '../../../protocol/thumbprint.ts'
import type { Context } from '../../context.ts'
import { act } from '../../registry/act.ts'
import { addKey, removeKey } from '../../registry/agent-key-administration.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:agents' } } as const
const tags = ['administration']
const ofAgent = z.object({ client_id: clientIdSchema, agent_id: agentIdSchema })

/** POST /admin/v1/agents/{client_id}/{agent_id}/keys and DELETE …/keys/{jkt}. */
export async function adminAgentKeyRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const add = {
    summary: 'Register one more key of an agent',
    tags,
    params: ofAgent,
    headers: idempotencyHeaders,
    body: addAgentKeySchema,
    response: { 201: agentKeyViewSchema, ...problems },
  }
  app.post('/admin/v1/agents/:client_id/:agent_id/keys', { config, schema: add }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const event = { action: 'agent_key.add', ...params, details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: agentKeyViewSchema }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => addKey(tx, caller, params, body)))
  })
  const remove = {
    summary: 'Remove a registered key of an agent and every key that it endorsed',
    tags,
    params: ofAgent.extend({ jkt: thumbprintSchema }),
    headers: idempotencyHeaders,
    response: { 200: agentKeyRemovedSchema, ...problems },
  }
  app.delete('/admin/v1/agents/:client_id/:agent_id/keys/:jkt', { config, schema: remove }, async (request, reply) => {
    const { headers, params } = request
    const { jkt, ...name } = params
    const event = { action: 'agent_key.remove', ...name, details: { jkt } } as const
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body: {}, answer: agentKeyRemovedSchema, before }
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, tx => removeKey(tx, name, jkt)))
  })
}
