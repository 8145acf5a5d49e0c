import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { after } from 'node:test'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, Server } from '@modelcontextprotocol/server'
import type { McpTool } from '../../../src/shim/adapters/mcp-tools.ts'
import { intentOf, type McpHandler, protectMcp } from '../../../src/verifier/adapters/mcp.ts'
import type { Refusal } from '../../../src/verifier/refusal.ts'
import { remoteJwks } from '../../../src/verifier/remote-jwks.ts'
import type { RouteRule } from '../../../src/verifier/route-rule.ts'
import type { Verified } from '../../../src/verifier/verify.ts'
import type { TestApp } from '../../support/app.ts'
import { freePorts } from '../../support/free-ports.ts'
import { givenResource } from '../../support/given.ts'

export const OBJECT = { type: 'object', properties: { page: { type: 'string' } } } as const
export const READ: McpTool = { name: 'read', description: 'Reads a page.', inputSchema: OBJECT }
export const WRITE: McpTool = { name: 'write', description: 'Writes a page.', inputSchema: OBJECT }

export type ServedMcp = {
  readonly url: URL
  /** What it lists from now on; nobody is told. */
  tools: readonly McpTool[]
  /** As many on a page. */
  pageSize: number
  readonly tellChanged: () => Promise<void>
  /** What came past the guard, oldest first: HTTP method, JSON-RPC method, and who. */
  readonly calls: { readonly method: string; readonly rpc: string; readonly verified: Verified }[]
  readonly refused: string[]
}

/** An MCP server over streamable HTTP behind our guard, of both eras of the protocol: with sessions, or 2026-07-28. */
export async function serveMcp(
  app: TestApp,
  era: 'sessions' | 'modern',
  rules: Record<string, RouteRule> = {},
): Promise<ServedMcp> {
  const [port] = await freePorts()
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  const scopes = ['page:read', 'page:write'].map(name => ({ name }))
  await givenResource(app, { resource: url.href, scopes })
  const calls: ServedMcp['calls'] = []
  const refused: string[] = []
  const servers = new Set<Server>()
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>()
  const served = { url, tools: [READ, WRITE] as readonly McpTool[], pageSize: 10, calls, refused, tellChanged }

  function newServer(): Server {
    const server = new Server({ name: 'pages', version: '1' }, { capabilities: { tools: { listChanged: true } } })
    server.setRequestHandler('tools/list', ({ params }) => {
      const from = Number(params?.cursor ?? 0)
      const end = from + served.pageSize
      const tools = served.tools
        .slice(from, end)
        .map(tool => ({ ...tool, inputSchema: { type: 'object' as const, ...tool.inputSchema } }))
      return { tools: JSON.parse(JSON.stringify(tools)), ...(end < served.tools.length && { nextCursor: String(end) }) }
    })
    server.setRequestHandler('tools/call', ({ params }) => ({
      content: [{ type: 'text', text: `did ${params.name}` }],
    }))
    servers.add(server)
    return server
  }

  const modern = createMcpHandler(newServer, { legacy: 'reject' })
  const handleModern = toNodeHandler(modern)

  async function tellChanged(): Promise<void> {
    modern.notify.toolsChanged()
    if (era === 'sessions') for (const server of servers) await server.sendToolListChanged()
  }

  async function sessionOf(id: string | string[] | undefined): Promise<NodeStreamableHTTPServerTransport> {
    const known = sessions.get(String(id))
    if (known) return known
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: name => void sessions.set(name, transport),
    })
    await newServer().connect(transport)
    return transport
  }

  const handler: McpHandler = async (request, response, body) => {
    const rpc = typeof body === 'object' && body !== null && 'method' in body ? String(body.method) : ''
    calls.push({ method: request.method ?? '', rpc, verified: intentOf(request.auth) })
    if (era === 'modern') return await handleModern(request, response, body)
    const transport = await sessionOf(request.headers['mcp-session-id'])
    await transport.handleRequest(request, response, body)
  }
  const guard = protectMcp({
    issuer: app.issuer,
    audience: url.href,
    jwks: remoteJwks(`${app.issuer}/.well-known/jwks.json`, { now: app.clock.now }),
    now: app.clock.now,
    otherwise: {},
    rules: { read: {}, write: {}, extra: {}, ...rules },
    onRefusal: (refusal: Refusal) => void refused.push(refusal.reason),
  })
  const http = createServer(guard(handler))
  await new Promise<void>(resolve => http.listen(port, '127.0.0.1', resolve))
  after(async () => {
    http.closeAllConnections()
    http.close()
    await modern.close()
  })
  return served
}
