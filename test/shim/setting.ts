import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'
import { exportJWK, type JWK } from 'jose'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { Agent } from '../../src/shim/agent.ts'
import type { AgentOptions } from '../../src/shim/agent-options.ts'
import { createAgent } from '../../src/shim/create-agent.ts'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import { createVerifier, type Verified } from '../../src/verifier/verify.ts'
import type { TestApp } from '../support/app.ts'
import { type GivenClient, givenClient, givenResource } from '../support/given.ts'

export const PROMPT = 'You read and write pages.'
export const SCOPE = 'page:read page:write'

/** An API that tells who called: `calls` has what its verifier saw, oldest first. */
export type Api = {
  readonly resource: string
  readonly calls: Verified[]
  /** What it refused, and why. */
  readonly refused: string[]
  /** What it demands from now on. */
  rule: RouteRule
}

// Until the file ends: the port of one that is closed may come back, and a resource of its name was registered before.
const servers: Server[] = []
after(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** An API on loopback behind the verifier, registered as a resource. */
export async function startApi(app: TestApp, more: object = {}): Promise<Api> {
  const calls: Verified[] = []
  const refused: string[] = []
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  const resource = `http://127.0.0.1:${portOf(server.address())}`
  const { issuer, clock } = app
  const jwks = remoteJwks(`${issuer}/.well-known/jwks.json`, { now: clock.now })
  const verifier = createVerifier({ issuer, audience: resource, jwks, now: clock.now })
  const api: Api = { resource, calls, refused, rule: {} }
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { authorization, dpop } = request.headers
      const presented = {
        ...{ authorization, method: request.method ?? '', url: `${resource}${request.url}` },
        dpop: typeof dpop === 'string' ? dpop : undefined,
        body: () => Buffer.concat(chunks),
      }
      verifier.verify(presented, api.rule).then(
        verified => {
          calls.push(verified)
          response.end(JSON.stringify({ sub: verified.claims.sub }))
        },
        (error: unknown) => {
          refused.push(error instanceof OAuthError ? error.reason : String(error))
          response.writeHead(401).end()
        },
      )
    })
  })
  await givenResource(app, { resource, scopes: SCOPE.split(' ').map(name => ({ name })), ...more })
  return api
}

/** A client that runs agents at these APIs, with the private JWK of its own key. */
export async function givenHost(app: TestApp, apis: readonly Api[], overrides: object = {}) {
  const access = [
    { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow read:agents' },
    ...apis.map(({ resource }) => ({ resource, scope: SCOPE })),
  ]
  const client = await givenClient(app, {
    access,
    policies: { default_grant: 'client', agent_keys: 'endorsed' },
    ...overrides,
  })
  return { client, key: await exportJWK(client.key.privateKey) }
}

/** An agent of that client by the shim; it is not registered yet. */
export function agentOf(
  app: TestApp,
  host: { readonly client: GivenClient; readonly key: JWK },
  apis: readonly Api[],
  options: Partial<AgentOptions> = {},
): Agent {
  return createAgent({
    issuer: app.issuer,
    client: { client_id: host.client.client_id, key: host.key },
    agent_id: 'pager',
    prompt: PROMPT,
    access: apis.map(({ resource }) => ({ resource, scope: SCOPE.split(' ') })),
    now: app.clock.now,
    ...options,
  })
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The API has no port.')
  return address.port
}
