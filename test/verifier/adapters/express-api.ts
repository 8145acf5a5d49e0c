import express, { type RequestHandler } from 'express'
import { intentOf, protect } from '../../../src/verifier/adapters/express.ts'
import type { RouteRule } from '../../../src/verifier/route-rule.ts'
import { INTENT, STEP_CLAIMS } from '../given-call.ts'
import { boundHeaders, type Call, digest, given, issuedToken, listening } from './issued.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
export const ORDER = '{"order": 7,  "item":"tea"}'

/** Answers with what a handler is given. */
export const echo: RequestHandler = (request, response) => {
  response.json({ client_id: intentOf(request).claims.client_id, body: request.body ?? null })
}

export type Setup = { readonly rule?: RouteRule; readonly before?: RequestHandler[]; readonly after?: RequestHandler[] }

export async function api({ rule = {}, before = [], after = [] }: Setup = {}) {
  const { options, told } = given()
  const app = express()
  const guard = protect(options)
  const reached: string[] = []
  for (const handler of before) app.use(handler)
  app.use(guard(rule), (request, _response, next) => {
    reached.push(request.path)
    next()
  })
  for (const handler of after) app.use(handler)
  app.all('/v1/orders', echo)
  return { url: `${await listening(app)}/v1/orders`, told, reached }
}

type Sent = Omit<RequestInit, 'headers'> & { readonly call?: Call; readonly headers?: Record<string, string> }

export async function post(url: string, { call, headers, ...init }: Sent): Promise<Response> {
  const bound = await boundHeaders({ method: 'POST', ...call })
  return await fetch(url, { method: 'POST', ...init, headers: { ...JSON_TYPE, ...bound, ...headers } })
}

export const APPROVED_STEP = { client_id: 'patcher-app', workflow_step: 'pay', approval: 'json-body' } as const

/** Of the step whose arguments somebody approved, in canonical form. */
export async function approvedToken(canonical: string): Promise<string> {
  const approval = { id: 'apr_1', arguments_digest: digest(canonical) }
  return await issuedToken({ agent_proof: STEP_CLAIMS.agent_proof, intent: { ...INTENT, approval } })
}
