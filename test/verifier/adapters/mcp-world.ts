import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { intentOf, type McpHandler, type McpRules, protectMcp } from '../../../src/verifier/adapters/mcp.ts'
import type { Refusal } from '../../../src/verifier/refusal.ts'
import type { TestApp } from '../../support/app.ts'
import { signProof } from '../../support/dpop.ts'
import { type GivenClient, givenAgent, givenClient, givenResource } from '../../support/given.ts'
import { type GivenAgent, type MintRequest, mint } from '../../support/recorded.ts'
import { digest, listening } from './issued.ts'

/** An MCP server with three tools, protected by tokens of a real Remit. */
export type McpWorld = {
  readonly url: string
  readonly client: GivenClient
  readonly agent: GivenAgent
  /** Calls that reached a tool, as `<tool> <who>`. */
  readonly calls: string[]
  readonly refusals: Refusal[]
}

const SCOPE = 'mcp read write'

/** How the SDK is served: a transport for each request, or its own handler for both eras of the protocol. */
export const SERVED = {
  transport: build => async (request, response, body) => {
    const transport = new NodeStreamableHTTPServerTransport({ enableJsonResponse: true })
    await build().connect(transport)
    await transport.handleRequest(request, response, body)
  },
  handler: build => {
    const handle = toNodeHandler(createMcpHandler(build))
    return async (request, response, body) => await handle(request, response, body)
  },
} satisfies Record<string, (build: () => McpServer) => McpHandler>

export async function givenMcp(
  app: TestApp,
  how: keyof typeof SERVED,
  rulesFor: (client_id: string) => McpRules,
): Promise<McpWorld> {
  let listener: ReturnType<ReturnType<typeof protectMcp>> | undefined
  const url = `${await listening((request, response) => void listener?.(request, response))}/mcp`
  await givenResource(app, { resource: url, scopes: SCOPE.split(' ').map(name => ({ name })) })
  const access = [{ resource: url, scope: SCOPE }]
  const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
  const client = await givenClient(app, { access: [...access, own] })
  const agent = await givenAgent(app, client, 'worker', { grant: { access } })
  const calls: string[] = []
  const refusals: Refusal[] = []
  const guard = protectMcp({
    issuer: app.issuer,
    audience: url,
    now: app.clock.now,
    onRefusal: refusal => void refusals.push(refusal),
    ...rulesFor(client.client_id),
  })
  listener = guard(SERVED[how](() => serverWith(calls)))
  return { url, client, agent, calls, refusals }
}

function serverWith(calls: string[]): McpServer {
  const server = new McpServer({ name: 'files', version: '1.0.0' })
  const inputSchema = z.object({ path: z.string(), text: z.string().optional() })
  for (const name of ['read_file', 'write_file', 'delete_file']) {
    server.registerTool(name, { inputSchema }, async ({ path }, { http }) => {
      const { claims } = intentOf(http?.authInfo)
      calls.push(`${name} ${claims.sub}`)
      return { content: [{ type: 'text', text: `${path} for ${http?.authInfo?.clientId}` }] }
    })
  }
  return server
}

/** A token of the agent for the server. */
export async function tokenFor(app: TestApp, world: McpWorld, request: Partial<MintRequest> = {}): Promise<string> {
  const minted = await mint(app, world.client, world.agent, { resource: world.url, scope: SCOPE, ...request })
  if (minted.token === '') throw new Error(`No token was issued: ${JSON.stringify(minted.body)}`)
  return minted.token
}

/** `fetch` with the token and a proof for each request, which names its body. */
export function boundFetch(app: TestApp, { agent }: McpWorld, token: string): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input)
    const proof = { htm: init.method ?? 'GET', htu: url, iat: app.clock.seconds(), accessToken: token }
    const bd = typeof init.body === 'string' ? { bd: digest(init.body) } : {}
    const headers = new Headers(init.headers)
    headers.set('authorization', `DPoP ${token}`)
    headers.set('dpop', await signProof(agent.key, proof, { payload: bd }))
    return await fetch(url, { ...init, headers })
  }
}

/** A connected client of the SDK. */
export async function connected(app: TestApp, world: McpWorld, token: string): Promise<Client> {
  const client = new Client({ name: 'agent', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(world.url), { fetch: boundFetch(app, world, token) })
  await client.connect(transport)
  return client
}
