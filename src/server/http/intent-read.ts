import { z } from 'zod'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { agentIdSchema, clientIdSchema } from '../../protocol/names.ts'
import { listedAgentSchema, shownAgentSchema } from '../../protocol/registered-components.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { auditedRead, read } from '../registry/act.ts'
import { getAgent, getAgents } from '../registry/agent-views.ts'
import { clientToRead } from '../registry/app-client.ts'
import { mayReadComponents, withComponents, withEachVersion } from '../registry/component-reads.ts'
import { getWorkflows, workflowViewSchema } from '../registry/workflow-views.ts'
import type { App } from './app-type.ts'
import { callerOf } from './bearer-auth.ts'
import { pageOfQuery, pageQuery, versionsQuery } from './page-query.ts'

const config = { permission: { audience: 'issuer', scope: 'read:agents' } } as const
const tags = ['registration']
const refusals = {
  400: oauthErrorSchema,
  401: oauthErrorSchema,
  403: oauthErrorSchema,
  404: oauthErrorSchema,
  429: oauthErrorSchema,
  503: oauthErrorSchema,
}
/** Components may be long: a page of them is short. */
const COMPONENTS_PAGE = 20

type ListQuery = z.output<typeof pageQuery>

/**
 * GET /intent/agents[/{app_id}[/{agent_id}]] and /intent/workflows/{app_id}, in the reference client's shape `{app_id:
 * [...]}`. Prompts and tools only for a token that also has `read:agent-components`, and each such read is audited. A
 * further page is named by `Link: rel="next"` (RFC 8288).
 */
export async function intentReadRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const params = z.object({ app_id: clientIdSchema })
  const listed = { 200: z.record(z.string(), z.array(listedAgentSchema)), ...refusals }
  const own = { summary: "Agents of the caller's own client", tags, querystring: pageQuery, response: listed }
  app.get('/intent/agents', { config, schema: own }, async (request, reply) => {
    const caller = callerOf(request)
    const { items, link } = await listAgentsOf(ctx, caller, caller.client_id, request)
    if (link) reply.header('link', link)
    return { [caller.client_id]: items }
  })
  const agents = { summary: 'Agents of a client', tags, params, querystring: pageQuery, response: listed }
  app.get('/intent/agents/:app_id', { config, schema: agents }, async (request, reply) => {
    const { app_id } = request.params
    const { items, link } = await listAgentsOf(ctx, callerOf(request), app_id, request)
    if (link) reply.header('link', link)
    return { [app_id]: items }
  })
  const agent = {
    summary: 'One agent of a client with its newest versions',
    tags,
    params: params.extend({ agent_id: agentIdSchema }),
    querystring: versionsQuery,
    response: { 200: shownAgentSchema, ...refusals },
  }
  app.get('/intent/agents/:app_id/:agent_id', { config, schema: agent }, async request => {
    const { app_id: client_id, agent_id } = request.params
    const { below } = request.query
    const caller = callerOf(request)
    const event = { client_id, agent_id, details: {} }
    if (!mayReadComponents(caller)) {
      return await readOf(ctx, caller, event, () => getAgent(ctx, { client_id, agent_id }, below))
    }
    return await auditedRead(ctx, caller, event, async tx => {
      await clientToRead(tx, caller, client_id)
      const shown = await withEachVersion(tx, await getAgent(tx, { client_id, agent_id }, below))
      return { body: shown.agent, details: { components_of: shown.registration_ids } }
    })
  })
  const workflows = {
    summary: 'Workflows of a client',
    tags,
    params,
    querystring: pageQuery,
    response: { 200: z.record(z.string(), z.array(workflowViewSchema)), ...refusals },
  }
  app.get('/intent/workflows/:app_id', { config, schema: workflows }, async (request, reply) => {
    const { app_id } = request.params
    const page = await readOf(ctx, callerOf(request), { client_id: app_id, details: {} }, () => {
      return getWorkflows(ctx, app_id, pageOfQuery(request.query))
    })
    if (page.next_cursor) reply.header('link', nextLink(request.url, request.query.limit, page.next_cursor))
    return { [app_id]: page.items }
  })
}

async function listAgentsOf(
  ctx: Context,
  caller: Caller,
  client_id: string,
  { url, query }: { url: string; query: ListQuery },
) {
  const asked = { ...pageOfQuery(query), client_id }
  const event = { client_id, details: {} }
  const linkTo = (cursor: string | null, limit: number) => (cursor === null ? undefined : nextLink(url, limit, cursor))
  if (!mayReadComponents(caller)) {
    const page = await readOf(ctx, caller, event, () => getAgents(ctx, asked))
    return { items: page.items, link: linkTo(page.next_cursor, query.limit) }
  }
  const limit = Math.min(query.limit, COMPONENTS_PAGE)
  return await auditedRead(ctx, caller, event, async tx => {
    await clientToRead(tx, caller, client_id)
    const page = await getAgents(tx, { ...asked, limit })
    const shown = await withComponents(tx, page.items)
    return {
      body: { items: shown.agents, link: linkTo(page.next_cursor, limit) },
      details: { components_of: shown.registration_ids },
    }
  })
}

/** A read of what belongs to one client, for those who may read it. */
async function readOf<T>(
  ctx: Context,
  caller: Caller,
  event: { client_id: string; agent_id?: string; details: Readonly<Record<string, unknown>> },
  fn: () => Promise<T>,
): Promise<T> {
  return await read(ctx, caller, event, async () => {
    await clientToRead(ctx, caller, event.client_id)
    return await fn()
  })
}

function nextLink(url: string, limit: number, cursor: string): string {
  return `<${url.split('?', 1)[0]}?limit=${limit}&cursor=${cursor}>; rel="next"`
}
