import { z } from 'zod'
import { agentDetailSchema, agentViewSchema, versionDetailSchema } from '../../../protocol/agent-views.ts'
import { agentIdSchema, clientIdSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { auditedRead, read } from '../../registry/act.ts'
import { getAgent, getAgents } from '../../registry/agent-views.ts'
import { getClient } from '../../registry/clients.ts'
import { getVersion } from '../../registry/version-view.ts'
import { AGENT_FILTERS } from '../../store/agent-lists.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery, versionsQuery } from '../page-query.ts'
import { adminAgentActRoutes } from './agent-acts.ts'
import { adminAgentKeyRoutes } from './agent-keys.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'approve:agents' } } as const
const tags = ['administration']
const status = z.enum(AGENT_FILTERS).optional()
const registration_id = z.string().min(1).max(256)
const ofClient = z.object({ client_id: clientIdSchema })
const ofAgent = ofClient.extend({ agent_id: agentIdSchema })

/** GET /admin/v1/agents[/{client_id}[/{agent_id}]] and everything that is decided about an agent. */
export async function adminAgentRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const all = {
    summary: 'Agents of all clients, or those of one client or state',
    tags,
    querystring: pageQuery.extend({ client_id: clientIdSchema.optional(), status }),
    response: { 200: listOf(agentViewSchema), ...problems },
  }
  app.get('/admin/v1/agents', { config, schema: all }, async request => {
    const { client_id, status } = request.query
    return await read(ctx, callerOf(request), { ...(client_id && { client_id }), details: {} }, async () => {
      if (client_id) await getClient(ctx, client_id)
      return await getAgents(ctx, {
        ...pageOfQuery(request.query),
        ...(client_id && { client_id }),
        ...(status && { status }),
      })
    })
  })
  const list = {
    summary: 'Agents of a client',
    tags,
    params: ofClient,
    querystring: pageQuery.extend({ status }),
    response: { 200: listOf(agentViewSchema), ...problems },
  }
  app.get('/admin/v1/agents/:client_id', { config, schema: list }, async request => {
    const { client_id } = request.params
    const { status } = request.query
    return await read(ctx, callerOf(request), { client_id, details: {} }, async () => {
      await getClient(ctx, client_id)
      return await getAgents(ctx, { ...pageOfQuery(request.query), client_id, ...(status && { status }) })
    })
  })
  const show = {
    summary: 'One agent with its newest versions and what a pending one proposes',
    tags,
    params: ofAgent,
    querystring: versionsQuery,
    response: { 200: agentDetailSchema, ...problems },
  }
  app.get('/admin/v1/agents/:client_id/:agent_id', { config, schema: show }, async request => {
    const { params, query } = request
    return await read(ctx, callerOf(request), { ...params, details: {} }, () => getAgent(ctx, params, query.below))
  })
  const version = {
    summary: 'One version with its components, warnings and changes; the read is audited',
    tags,
    params: ofAgent.extend({ registration_id }),
    querystring: z.strictObject({ against: registration_id.optional() }),
    response: { 200: versionDetailSchema, ...problems },
  }
  const path = '/admin/v1/agents/:client_id/:agent_id/versions/:registration_id'
  app.get(path, { config, schema: version }, async request => {
    const { registration_id, ...name } = request.params
    const { against } = request.query
    return await auditedRead(ctx, callerOf(request), { ...name, details: {} }, async tx => {
      const body = await getVersion(tx, name, registration_id, against)
      const compared = body.against ? [body.against.registration_id] : []
      return { body, details: { components_of: [registration_id, ...compared] } }
    })
  })
  await app.register(adminAgentActRoutes, { ctx })
  await app.register(adminAgentKeyRoutes, { ctx })
}
