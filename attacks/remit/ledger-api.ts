import type { Server } from 'node:http'
import express, { type Request, type Response } from 'express'
import { intentOf, protect } from '../../src/verifier/adapters/express.ts'
import { remoteJwks } from '../../src/verifier/index.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import { invoices, type Ledger } from '../ledger.ts'
import { ROUTES, type Route, WORKFLOW } from '../story.ts'

export type LedgerApi = {
  readonly url: string
  readonly ledger: Ledger
  /** The clients that it works for: every rule names them. */
  readonly clients: readonly string[]
  /** Why it refused the last call, if it did: the reason that its owner sees and its callers do not. */
  refused: string | undefined
  /** Seconds by which its clock is ahead of ours: how a token is seen to end. */
  ahead: number
}

const STEP_OF = { 'GET /invoices': 'collect', 'POST /entries': 'book', 'POST /payments': 'pay' } as const

/**
 * The API behind Remit's verifier, on a server that listens already, with the rules that its documentation asks for:
 * client, workflow and step on every route, calls that write name their body, a payment is the one that was approved, and
 * each approval is good for one. Query strings it does not read.
 */
export function serveLedgerApi(server: Server, api: LedgerApi, issuer: string): void {
  const { url: audience, clients: client_id } = api
  const jwks = remoteJwks(`${issuer}/.well-known/jwks.json`)
  const guard = protect({
    ...{ issuer, audience, jwks, now: () => new Date(Date.now() + api.ahead * 1000) },
    onRefusal({ reason }) {
      api.refused = reason
    },
  })
  const ruleOf = (route: Route): RouteRule => {
    return { scope: [ROUTES[route]], client_id, workflow_id: WORKFLOW, workflow_step: STEP_OF[route] }
  }
  const act = (route: Route) => (request: Request, response: Response) => {
    const { intent } = intentOf(request).claims
    const { executed_by: by = 'nobody', initiated_by = 'nobody' } = intent ?? {}
    const body: unknown = request.body
    api.ledger.done.push({ route, by, for: initiated_by, body })
    response.json(route === 'GET /invoices' ? invoices(api.ledger) : { done: true })
  }
  const used = new Set<string>()
  /** A token outlives the call that it was for: what must happen once, the API does once. */
  const onceApproved = (request: Request, response: Response, next: () => void) => {
    const { approval } = intentOf(request).claims.intent ?? {}
    if (approval === undefined || used.has(approval.id))
      return void response.status(409).json({ error: 'approval_used' })
    used.add(approval.id)
    next()
  }
  const entries = { ...ruleOf('POST /entries'), boundBody: true }
  const payments = { ...ruleOf('POST /payments'), boundBody: true, approval: 'json-body' } as const
  const app = express()
  app.get('/invoices', guard(ruleOf('GET /invoices')), act('GET /invoices'))
  app.post('/entries', guard(entries), express.json(), act('POST /entries'))
  app.post('/payments', guard(payments), onceApproved, express.json(), act('POST /payments'))
  server.on('request', app)
}
