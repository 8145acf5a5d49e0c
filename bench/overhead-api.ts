import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { createVerifier } from '../src/verifier/index.ts'

// One API three times, in a process of its own: without protection, behind the verifier, and behind a stock library. It
// tells its parent the three addresses; the parent names the issuer once it has registered them.

type Check = (request: IncomingMessage, resource: string) => Promise<unknown>

const RULE = { scope: ['read'] }
const open: Check = async () => undefined
const checks: Record<string, Check> = { open, verifier: open, stock: open }
const servers: Record<string, Server> = {}

for (const name of Object.keys(checks)) {
  const server = createServer((request, response) => {
    request.resume()
    const check = checks[name] ?? open
    check(request, resourceOf(server)).then(
      () => end(response, 200),
      () => end(response, 401),
    )
  })
  server.keepAliveTimeout = 60_000
  servers[name] = server
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
}
process.on('message', issuer => {
  protect(String(issuer)).then(
    () => process.send?.('ready'),
    () => process.exit(1),
  )
})
process.on('disconnect', () => process.exit(0))
process.send?.(Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, resourceOf(server)])))

async function protect(issuer: string): Promise<void> {
  const { verifier: own, stock } = servers
  if (!own || !stock) throw new Error('There are three.')
  const { verify } = createVerifier({ issuer, audience: resourceOf(own) })
  checks.verifier = async ({ headers, method = '', url }, resource) => {
    const dpop = typeof headers.dpop === 'string' ? headers.dpop : undefined
    await verify({ authorization: headers.authorization, dpop, method, url: `${resource}${url}` }, RULE)
  }
  const base = new URL(issuer)
  const options = { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true } as const
  const as = await oauth.processDiscoveryResponse(base, await oauth.discoveryRequest(base, options))
  checks.stock = async (incoming, resource) => {
    const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] satisfies [string, string]] : [],
    )
    const request = new Request(`${resource}${incoming.url}`, { method: incoming.method ?? '', headers })
    const checked = { requireDPoP: true, signingAlgorithms: ['ES256'], [oauth.allowInsecureRequests]: true }
    const { scope } = await oauth.validateJwtAccessToken(as, request, resource, checked)
    if (!scope?.split(' ').includes('read')) throw new Error('The scope is missing.')
  }
}

function resourceOf(server: Server): string {
  const address = server.address()
  return `http://127.0.0.1:${isInet(address) ? address.port : 0}`
}

function isInet(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end('{"page":7}')
}
