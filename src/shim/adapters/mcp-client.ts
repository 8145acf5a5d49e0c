import type { Client, StreamableHTTPClientTransportOptions } from '@modelcontextprotocol/client'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Agent, CallOptions } from '../agent.ts'
import { MAX_LISTS, readReceived, readSent, toolsKeepChanging } from './mcp-messages.ts'
import type { McpTools } from './mcp-tools.ts'
import { inStep, ownMember, stepOf, type ToolStep } from './tool-steps.ts'

export { type McpTool, type McpTools, mcpTools } from './mcp-tools.ts'

export type McpTransportOptions = {
  /** What the agent is registered with of this server; the same that `createAgent` was given. */
  readonly served: McpTools
  /** By the name of a tool: the step it is called in, a narrower scope, a proof that names the body. */
  readonly calls?: Readonly<Record<string, CallOptions & { readonly step?: ToolStep }>>
  readonly transport?: Omit<StreamableHTTPClientTransportOptions, 'fetch' | 'authProvider'>
}

/**
 * A transport whose requests, streams and session end carry token and proof. Before the first call of a tool, and after
 * each change that is told, the server must list its tools: one that serves others than are registered gets no token.
 */
export function mcpTransport(agent: Agent, client: Client, url: URL, options: McpTransportOptions) {
  const cursors = new Map<string | number, string | undefined>()
  let listing: Promise<unknown> | undefined

  async function list(): Promise<void> {
    for (let turn = 1; turn <= MAX_LISTS; turn += 1) {
      const current = listing ?? client.listTools(undefined, { cacheMode: 'refresh' })
      listing = current
      await current.catch((error: unknown) => {
        if (listing === current) listing = undefined
        throw error
      })
      if (listing === current) return // Else they changed again meanwhile.
    }
    throw toolsKeepChanging()
  }

  async function send(to: string | URL, init: RequestInit = {}): Promise<Response> {
    const sent = readSent(init.body)
    if (sent?.method === 'tools/list') cursors.set(sent.id, sent.params?.cursor)
    if (sent?.method !== 'tools/call') return await agent.fetch(to, init)
    const { step, ...call } = ownMember(options.calls, sent.params.name) ?? {}
    return await inStep(agent, stepOf(step, { input: sent.params.arguments }), async () => {
      await list()
      return await agent.fetch(to, init, call)
    })
  }

  const transport = new StreamableHTTPClientTransport(url, { ...options.transport, fetch: send })
  // The client keeps this handler and calls it first: a list is judged before anybody is given it.
  transport.onmessage = message => {
    const { changed, listed } = readReceived(message)
    if (changed) listing = undefined
    const cursor = listed && (cursors.has(listed.id) ? cursors.get(listed.id) : null)
    if (listed) cursors.delete(listed.id)
    if (listed && options.served.served(listed.result.tools, cursor, listed.result.nextCursor)) agent.changed()
  }
  return transport
}
