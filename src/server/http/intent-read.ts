import { z } from 'zod'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { agentIdSchema, clientIdSchema } from '../../protocol/names.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { read } from '../registry/act.ts'
import { agentDetailSchema, agentViewSchema, getAgent, getAgents } from '../registry/agent-views.ts'
import { clientToRead } from '../registry/app-client.ts'
import { getWorkflows, workflowViewSchema } from '../registry/workflows.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'
import { pageOfQuery, pageQuery } from './page-query.ts'

const config = { permission: { audience: 'issuer', scope: 'read:agents' } } as const
const refusals = { 400: oauthErrorSchema, 401: oauthErrorSchema, 403: oauthErrorSchema, 404: oauthErrorSchema }

/**
 * GET /intent/agents/{app_id}[/{agent_id}] and /intent/workflows/{app_id}, in the reference client's shape `{app_id:
 * [...]}`. Never prompts or tools. A further page is named by `Link: rel="next"` (RFC 8288).
 */
export async function intentReadRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const params = z.object({ app_id: clientIdSchema })
  const agents = {
    summary: 'Agents of a client, without their components',
    tags: ['registration'],
    params,
    querystring: pageQuery,
    response: { 200: z.record(z.string(), z.array(agentViewSchema)), ...refusals },
  }
  app.get('/intent/agents/:app_id', { config, schema: agents }, async (request, reply) => {
    const { app_id } = request.params
    const page = await readOf(ctx, callerOf(request), app_id, {}, () => {
      return getAgents(ctx, app_id, pageOfQuery(request.query))
    })
    if (page.next_cursor) reply.header('link', nextLink(request.url, request.query.limit, page.next_cursor))
    return { [app_id]: page.items }
  })
  const agent = {
    summary: 'One agent of a client with its versions, without their components',
    tags: ['registration'],
    params: params.extend({ agent_id: agentIdSchema }),
    response: { 200: agentDetailSchema, ...refusals },
  }
  app.get('/intent/agents/:app_id/:agent_id', { config, schema: agent }, async request => {
    const { app_id, agent_id } = request.params
    return await readOf(ctx, callerOf(request), app_id, { agent_id }, () => getAgent(ctx, app_id, agent_id))
  })
  const workflows = {
    summary: 'Workflows of a client',
    tags: ['registration'],
    params,
    querystring: pageQuery,
    response: { 200: z.record(z.string(), z.array(workflowViewSchema)), ...refusals },
  }
  app.get('/intent/workflows/:app_id', { config, schema: workflows }, async (request, reply) => {
    const { app_id } = request.params
    const page = await readOf(ctx, callerOf(request), app_id, {}, () => {
      return getWorkflows(ctx, app_id, pageOfQuery(request.query))
    })
    if (page.next_cursor) reply.header('link', nextLink(request.url, request.query.limit, page.next_cursor))
    return { [app_id]: page.items }
  })
}

/** A read of what belongs to one client, for those who may read it. */
async function readOf<T>(
  ctx: Context,
  caller: Caller,
  app_id: string,
  named: { agent_id?: string },
  fn: () => Promise<T>,
): Promise<T> {
  return await read(ctx, caller, { client_id: app_id, ...named, details: {} }, async () => {
    await clientToRead(ctx, caller, app_id)
    return await fn()
  })
}

function nextLink(url: string, limit: number, cursor: string): string {
  return `<${url.split('?', 1)[0]}?limit=${limit}&cursor=${cursor}>; rel="next"`
}
