import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { ROUTES } from './story.ts'

/** A small API whose tokens are checked by a stock OAuth library: nothing in this file is Remit's. */
export type ResourceServer = { readonly stop: () => Promise<void> }

type Refusal = { readonly status: number; readonly error: string; readonly error_description: string }

/** Serves the API of the demo at `resource`, which is its address and the audience it takes tokens for. */
export async function startResourceServer(resource: string, issuer: string): Promise<ResourceServer> {
  const authorizationServer = await discover(issuer)
  const used = new Set<string>()
  const server = createServer((request, response) => {
    handle(request)
      .then(result => answer(response, result))
      .catch(error => answer(response, { status: 500, error: 'server_error', error_description: String(error) }))
  })

  async function handle(incoming: IncomingMessage): Promise<Refusal | { status: 200; body: object }> {
    const route = Object.entries(ROUTES).find(
      ([, { method, path }]) => method === incoming.method && path === incoming.url,
    )
    if (!route) return { status: 404, error: 'not_found', error_description: 'There is nothing here.' }
    const request = new Request(`${resource}${incoming.url}`, { method: incoming.method, headers: headersOf(incoming) })
    let claims: oauth.JWTAccessTokenClaims
    try {
      claims = await oauth.validateJwtAccessToken(authorizationServer, request, resource, {
        requireDPoP: true,
        signingAlgorithms: ['ES256'],
        [oauth.allowInsecureRequests]: true,
      })
    } catch (error) {
      const error_description = error instanceof Error ? error.message : 'The token is not valid.'
      return { status: 401, error: 'invalid_token', error_description }
    }
    // The library leaves two things to the API: each proof counts once (RFC 9449 section 11.1), and the scope.
    const { jti } = decodeJwt(request.headers.get('dpop') ?? '')
    const proof = `${Object.values(claims.cnf ?? {})[0]} ${jti}`
    if (used.has(proof)) {
      return { status: 401, error: 'invalid_dpop_proof', error_description: 'The DPoP proof was used before.' }
    }
    used.add(proof)
    const [scope] = route
    if (!claims.scope?.split(' ').includes(scope)) {
      return { status: 403, error: 'insufficient_scope', error_description: `This call needs the scope ${scope}.` }
    }
    return { status: 200, body: { done: scope, for: claims.sub } }
  }

  const { hostname, port } = new URL(resource)
  server.listen(Number(port), hostname)
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function discover(issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  const response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true })
  return await oauth.processDiscoveryResponse(url, response)
}

function headersOf({ headers }: IncomingMessage): Headers {
  const copied = new Headers()
  if (headers.authorization !== undefined) copied.set('authorization', headers.authorization)
  if (typeof headers.dpop === 'string') copied.set('dpop', headers.dpop)
  return copied
}

function answer(response: ServerResponse, result: Refusal | { status: 200; body: object }): void {
  response.statusCode = result.status
  response.setHeader('content-type', 'application/json')
  if ('body' in result) {
    response.end(JSON.stringify(result.body))
    return
  }
  const { error, error_description } = result
  if (result.status !== 404) response.setHeader('www-authenticate', `DPoP error="${error}", algs="ES256"`)
  response.end(JSON.stringify({ error, error_description }))
}
