import { z } from 'zod'
import { addStatedKeySchema } from '../../protocol/agent.ts'
import { agentKeyRemovedSchema } from '../../protocol/agent-acts.ts'
import { agentKeyViewSchema } from '../../protocol/agent-views.ts'
import { jwksSchema, oauthErrorSchema } from '../../protocol/metadata.ts'
import { agentIdSchema, clientIdSchema } from '../../protocol/names.ts'
import { thumbprintSchema } from '../../protocol/thumbprint.ts'
import type { Context } from '../context.ts'
import { act } from '../registry/act.ts'
import { addStatedKey, getAgentJwks, ownKeyRemoval } from '../registry/agent-stated-keys.ts'
import { speaksFor } from '../registry/app-client.ts'
import { fetchSignerAhead } from '../registry/key-statements.ts'
import { answerAct, idempotency, idempotencyHeaders } from './act-answer.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'
import { acceptJson } from './strict-body.ts'

const config = { permission: { audience: 'issuer', scope: 'register:intent' } } as const
const tags = ['registration']
const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  404: oauthErrorSchema,
  422: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}
const ofAgent = z.object({ client_id: clientIdSchema, agent_id: agentIdSchema })
const JWKS_CACHE = 'public, max-age=60'

/** POST /intent/agents/{client_id}/{agent_id}/keys, DELETE …/keys/{jkt}, and the public GET …/jwks. */
export async function agentKeyRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  acceptJson(app)
  const add = {
    summary: 'Register one more key of an agent, vouched for by a key statement',
    tags,
    params: ofAgent,
    headers: idempotencyHeaders,
    body: addStatedKeySchema,
    response: { 201: agentKeyViewSchema, ...refusals },
  }
  app.post('/intent/agents/:client_id/:agent_id/keys', { config, schema: add }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const event = { action: 'agent_key.add', ...params, details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: agentKeyViewSchema }
    if (speaksFor(caller, params.client_id)) await fetchSignerAhead(ctx, params.client_id, body.key_statement)
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => addStatedKey(tx, caller, params, body)))
  })
  const removal = {
    summary: 'Remove a registered key of an agent and every key that it endorsed',
    tags,
    params: ofAgent.extend({ jkt: thumbprintSchema }),
    headers: idempotencyHeaders,
    response: { 200: agentKeyRemovedSchema, ...refusals },
  }
  app.delete('/intent/agents/:client_id/:agent_id/keys/:jkt', { config, schema: removal }, async (request, reply) => {
    const { headers, params } = request
    const { jkt, ...name } = params
    const caller = callerOf(request)
    const event = { action: 'agent_key.remove', ...name, details: { jkt } } as const
    const { before, remove } = ownKeyRemoval(caller, name, jkt)
    const asked = { ...idempotency(request, headers), body: {}, answer: agentKeyRemovedSchema, before }
    return answerAct(reply, await act(ctx, caller, event, asked, remove))
  })
  // Any text is a name here: what is not one answers like an agent that does not exist.
  const jwks = {
    summary: 'Registered keys of an agent (RFC 7517); an empty set where there is none to see',
    tags,
    params: z.object({ client_id: z.string(), agent_id: z.string() }),
    response: { 200: jwksSchema },
  }
  const isPublic = { permission: 'public', work: 'registration' } as const
  app.get('/intent/agents/:client_id/:agent_id/jwks', { config: isPublic, schema: jwks }, async (request, reply) => {
    reply.header('cache-control', JWKS_CACHE)
    return await getAgentJwks(ctx, request.params)
  })
}
