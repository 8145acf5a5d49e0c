import type { Server } from 'node:http'
import express, { type Request, type Response } from 'express'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import { invoices, type Ledger } from '../ledger.ts'
import { CAST, type ROUTES } from '../story.ts'
import type { PlainServer } from './authorization-server.ts'

type Served = { readonly server: Server; readonly url: string }

/**
 * The API behind a stock verifier, on a server that listens already: signature, issuer, audience, expiry, scope. Who acts
 * and for whom stands in headers that the app sets, for want of any other place. The app keeps the definitions of its
 * agents here, too.
 */
export function servePlainApi({ server, url }: Served, { issuer, jwks_uri }: PlainServer, ledger: Ledger): void {
  const app = express()
  app.use(auth({ issuer, jwksUri: jwks_uri, audience: url, tokenSigningAlg: 'ES256' }))
  app.use(express.json())
  const act = (route: keyof typeof ROUTES) => (request: Request, response: Response) => {
    const body: unknown = request.body
    ledger.done.push({ route, by: header(request, 'x-agent'), for: header(request, 'x-on-behalf-of'), body })
    response.json(route === 'GET /invoices' ? invoices(ledger) : { done: true })
  }
  app.get('/invoices', requiredScopes('invoices:read'), act('GET /invoices'))
  app.post('/entries', requiredScopes('entries:write'), act('POST /entries'))
  app.post('/payments', requiredScopes('payments:write'), act('POST /payments'))
  app.get('/agents', requiredScopes('agents:read'), (_request, response) => void response.json(CAST))
  // Its own error handler prints to standard error.
  app.use((error: { status?: number; code?: string }, _request: Request, response: Response, _next: () => void) => {
    response.status(error.status ?? 500).json({ error: error.code ?? 'unauthorized' })
  })
  server.on('request', app)
}

function header(request: Request, name: string): string {
  return request.get(name) ?? 'nobody'
}
