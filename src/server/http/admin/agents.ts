import { z } from 'zod'
import { approveVersionSchema, registrationAnswerSchema } from '../../../protocol/agent.ts'
import { agentIdSchema, clientIdSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { approveVersion } from '../../registry/agent-approval.ts'
import { agentDetailSchema, agentViewSchema, getAgent, getAgents } from '../../registry/agent-views.ts'
import { getClient } from '../../registry/clients.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:agents' } } as const
const tags = ['administration']

/** GET /admin/v1/agents/{client_id}[/{agent_id}] and the approval of a version. */
export async function adminAgentRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const ofClient = z.object({ client_id: clientIdSchema })
  const ofAgent = ofClient.extend({ agent_id: agentIdSchema })
  const list = {
    summary: 'Agents of a client',
    tags,
    params: ofClient,
    querystring: pageQuery,
    response: { 200: listOf(agentViewSchema), ...problems },
  }
  app.get('/admin/v1/agents/:client_id', { config, schema: list }, async request => {
    const { client_id } = request.params
    return await read(ctx, callerOf(request), { client_id, details: {} }, async () => {
      await getClient(ctx, client_id)
      return await getAgents(ctx, client_id, pageOfQuery(request.query))
    })
  })
  const show = {
    summary: 'One agent with its versions and what a pending one proposes',
    tags,
    params: ofAgent,
    response: { 200: agentDetailSchema, ...problems },
  }
  app.get('/admin/v1/agents/:client_id/:agent_id', { config, schema: show }, async request => {
    const { client_id, agent_id } = request.params
    return await read(ctx, callerOf(request), { client_id, agent_id, details: {} }, () => {
      return getAgent(ctx, client_id, agent_id)
    })
  })
  const approve = {
    summary: 'Approve a pending version by its id and checksum',
    tags,
    params: ofAgent,
    headers: idempotencyHeaders,
    body: approveVersionSchema,
    response: { 200: registrationAnswerSchema, ...problems },
  }
  app.post('/admin/v1/agents/:client_id/:agent_id/approve', { config, schema: approve }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const event = { action: 'agent.approve', ...params, details: { registration_id: body.registration_id } } as const
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema }
    return answerAct(reply, await act(ctx, caller, event, asked, tx => approveVersion(tx, caller, params, body)))
  })
}
