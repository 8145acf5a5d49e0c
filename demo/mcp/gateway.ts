import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer } from 'node:http'
import type { Client } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, Server } from '@modelcontextprotocol/server'
import { protectMcp } from '../../src/verifier/adapters/mcp.ts'
import { remoteAgentKeys, remoteJwks } from '../../src/verifier/index.ts'
import type { Defer } from '../remit-server.ts'
import { machineTime } from './clock.ts'
import { type ServerSpan, writeServerTiming } from './server-timing.ts'
import { NOTES_APP, TOOL_RULES } from './story.ts'

export type Gateway = {
  /**
   * From now on a tool has this description, undefined for its own, and everybody who listens is told that the list
   * changed.
   */
  readonly describe: (tool: string, description: string | undefined) => void
}

type Options = {
  /** Where it is served, and the audience of its tokens. */
  readonly resource: string
  readonly issuer: string
  readonly files: Client
  readonly defer: Defer
}

/**
 * Streamable HTTP in front of an MCP server that speaks over stdio and knows of no tokens. The verifier lets a call pass or
 * answers it; what passes goes on to the server as it came.
 */
export async function startGateway({ resource, issuer, files, defer }: Options): Promise<Gateway> {
  const descriptions = new Map<string, string | undefined>()
  const timing = new AsyncLocalStorage<ServerSpan[]>()
  const guard = protectMcp({
    issuer,
    audience: resource,
    jwks: remoteJwks(`${issuer}/.well-known/jwks.json`),
    rootKeys: remoteAgentKeys(issuer),
    rules: TOOL_RULES,
    otherwise: { client_id: NOTES_APP },
    scopes_supported: ['files:read', 'files:write'],
    resource_name: 'Files of the week',
  })

  const handler = createMcpHandler(() => {
    const server = new Server({ name: 'files', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } })
    server.setRequestHandler('tools/list', async ({ params }) => {
      const { tools, nextCursor } = await files.listTools(params)
      const listed = tools.map(tool => ({ ...tool, description: descriptions.get(tool.name) ?? tool.description }))
      return { tools: listed, ...(nextCursor !== undefined && { nextCursor }) }
    })
    server.setRequestHandler('tools/call', async ({ params: { name, arguments: args } }) => {
      const start = machineTime()
      const { content, structuredContent, isError } = await files.callTool({ name, ...(args && { arguments: args }) })
      timing.getStore()?.push({ part: 'tool', start, end: machineTime() })
      return { content, structuredContent, isError }
    })
    return server
  })

  const listener = createServer((request, response) => {
    const start = machineTime()
    const spans: ServerSpan[] = []
    const serve = toNodeHandler({
      async fetch(asked, options) {
        const answer = await timing.run(spans, () => handler.fetch(asked, options))
        answer.headers.set('server-timing', writeServerTiming(spans))
        return answer
      },
    })
    guard(async (judged, answer, body) => {
      spans.push({ part: 'verifier', start, end: machineTime() })
      await serve(judged, answer, body)
    })(request, response)
  })
  const { hostname, port } = new URL(resource)
  listener.listen(Number(port), hostname)
  await new Promise<void>((resolve, reject) => listener.once('listening', resolve).once('error', reject))
  defer(async () => {
    await handler.close()
    listener.closeAllConnections()
    await new Promise(resolve => listener.close(resolve))
  })
  return {
    describe(tool, description) {
      descriptions.set(tool, description)
      handler.notify.toolsChanged()
    },
  }
}
