import { z } from 'zod'
import {
  ISSUER_PURPOSES,
  issuerNameSchema,
  trustedIssuerCreateSchema,
  trustedIssuerDeletedSchema,
  trustedIssuerSchema,
  trustedIssuerUpdateSchema,
} from '../../../protocol/trusted-issuer.ts'
import type { Context } from '../../context.ts'
import { act, read } from '../../registry/act.ts'
import { tryIssuerKeys } from '../../registry/issuer-keys.ts'
import { changeTrustedIssuer, deleteTrustedIssuer } from '../../registry/trusted-issuer-changes.ts'
import { createTrustedIssuer, getTrustedIssuer, getTrustedIssuers } from '../../registry/trusted-issuers.ts'
import { enterGateExclusive, enterGateShared } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { listOf, pageOfQuery, pageQuery } from '../page-query.ts'
import { reasonQuery } from './deletion.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const tags = ['administration']
const params = z.object({ name: issuerNameSchema })

/** POST and GET /admin/v1/trusted-issuers, GET …/{name}. */
export async function adminTrustedIssuerRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const create = {
    summary: 'Trust the tokens of an issuer for one purpose',
    tags,
    headers: idempotencyHeaders,
    body: trustedIssuerCreateSchema,
    response: { 201: trustedIssuerSchema, ...problems },
  }
  app.post('/admin/v1/trusted-issuers', { config, schema: create }, async (request, reply) => {
    const { body, headers } = request
    const caller = callerOf(request)
    const event = { action: 'trusted_issuer.create', details: { name: body.name } } as const
    const asked = { ...idempotency(request, headers), body, answer: trustedIssuerSchema, before: enterGateShared }
    const keysProblem = await tryIssuerKeys(ctx, body.jwks_uri)
    const create = (tx: Context) => createTrustedIssuer(tx, caller, body, keysProblem)
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, create))
  })
  const list = {
    summary: 'Trusted issuers by purpose; deleted ones only with ?status=deleted',
    tags,
    querystring: pageQuery.extend({
      purpose: z.enum(ISSUER_PURPOSES).optional(),
      status: z.enum(['active', 'deleted']).optional(),
    }),
    response: { 200: listOf(trustedIssuerSchema), ...problems },
  }
  app.get('/admin/v1/trusted-issuers', { config, schema: list }, async request => {
    const { purpose, status, ...page } = request.query
    const asked = { ...pageOfQuery(page), purpose, status }
    return await read(ctx, callerOf(request), { details: {} }, () => getTrustedIssuers(ctx, asked))
  })
  const show = { summary: 'One trusted issuer', tags, params, response: { 200: trustedIssuerSchema, ...problems } }
  app.get('/admin/v1/trusted-issuers/:name', { config, schema: show }, async request => {
    const { name } = request.params
    return await read(ctx, callerOf(request), { details: { name } }, () => getTrustedIssuer(ctx, name))
  })
}

/** PATCH and DELETE /admin/v1/trusted-issuers/{name}. */
export async function adminTrustedIssuerChangeRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const update = {
    summary: 'Change members of a trusted issuer; those left out stay',
    tags,
    headers: idempotencyHeaders,
    params,
    body: trustedIssuerUpdateSchema,
    response: { 200: trustedIssuerSchema, ...problems },
  }
  app.patch('/admin/v1/trusted-issuers/:name', { config, schema: update }, async (request, reply) => {
    const { body, headers, params } = request
    const { name } = params
    const caller = callerOf(request)
    const event = { action: 'trusted_issuer.update', details: { name } } as const
    const asked = {
      ...idempotency(request, headers),
      body,
      answer: trustedIssuerSchema,
      before: enterGateExclusive,
    }
    const keysProblem = await tryIssuerKeys(ctx, body.jwks_uri)
    const change = (tx: Context) => changeTrustedIssuer(tx, caller, name, body, keysProblem)
    return answerAct(reply, await act(ctx, caller, event, asked, change))
  })
  const remove = {
    summary: 'Trust an issuer no more, for good: nothing more is exchanged, and the name is never given out again',
    tags,
    headers: idempotencyHeaders,
    params,
    querystring: reasonQuery,
    response: { 200: trustedIssuerDeletedSchema, ...problems },
  }
  app.delete('/admin/v1/trusted-issuers/:name', { config, schema: remove }, async (request, reply) => {
    const { headers, params, query } = request
    const { name } = params
    const event = { action: 'trusted_issuer.delete', details: { name } } as const
    const asked = {
      ...idempotency(request, headers),
      body: query,
      answer: trustedIssuerDeletedSchema,
      before: enterGateExclusive,
    }
    const remove = (tx: Context) => deleteTrustedIssuer(tx, name, query.reason)
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, remove))
  })
}
