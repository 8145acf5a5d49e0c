import { z } from 'zod'
import { type ClientUpdate, clientUpdateSchema, secretRotationSchema } from '../../../protocol/client.ts'
import { clientIdSchema } from '../../../protocol/names.ts'
import type { Context } from '../../context.ts'
import { act } from '../../registry/act.ts'
import { deleteClient } from '../../registry/client-deletion.ts'
import { tryJwksUri } from '../../registry/client-keys.ts'
import { rotateSecret } from '../../registry/client-secrets.ts'
import { changeClient } from '../../registry/client-update.ts'
import { clientChangedSchema, clientDeletedSchema, clientRotatedSchema } from '../../registry/client-view.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { reasonQuery } from './deletion.ts'
import { problems } from './problems.ts'

const config = { permission: { audience: 'admin', scope: 'admin:clients' } } as const
const about = { tags: ['administration'], headers: idempotencyHeaders, params: z.object({ client_id: clientIdSchema }) }

/** PATCH and DELETE /admin/v1/clients/{client_id}, POST …/secret. */
export async function adminClientChangeRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const update = {
    ...about,
    summary: 'Change members of a client; those left out stay',
    body: clientUpdateSchema,
    response: { 200: clientChangedSchema, ...problems },
  }
  app.patch('/admin/v1/clients/:client_id', { config, schema: update }, async (request, reply) => {
    const { body, headers, params } = request
    const { client_id } = params
    const caller = callerOf(request)
    const event = { action: 'client.update', client_id, details: {} } as const
    const asked = { ...idempotency(request, headers), body, answer: clientChangedSchema, ...gateOf(body) }
    const keysProblem = await tryJwksUri(ctx, body.jwks_uri)
    const change = (tx: Context) => changeClient(tx, caller, client_id, body, keysProblem)
    return answerAct(reply, await act(ctx, caller, event, asked, change))
  })
  const rotate = {
    ...about,
    summary: 'Give a client a new secret, shown once; the older ones end after the overlap',
    body: secretRotationSchema,
    response: { 201: clientRotatedSchema, ...problems },
  }
  app.post('/admin/v1/clients/:client_id/secret', { config, schema: rotate }, async (request, reply) => {
    const { body, headers, params } = request
    const { client_id } = params
    const caller = callerOf(request)
    const event = { action: 'client.rotate_secret', client_id, details: {} } as const
    const gate = body.overlap_seconds === 0 ? { before: enterGateExclusive } : {}
    const asked = { ...idempotency(request, headers), body, answer: clientRotatedSchema, ...gate }
    reply.code(201)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => rotateSecret(tx, caller, client_id, body)))
  })
  const remove = {
    ...about,
    summary: 'Delete a client for good, with all that descends from it; its name is never given out again',
    querystring: reasonQuery,
    response: { 200: clientDeletedSchema, ...problems },
  }
  app.delete('/admin/v1/clients/:client_id', { config, schema: remove }, async (request, reply) => {
    const { headers, params, query } = request
    const { client_id } = params
    const caller = callerOf(request)
    const event = { action: 'client.delete', client_id, details: {} } as const
    const asked = {
      ...idempotency(request, headers),
      body: query,
      answer: clientDeletedSchema,
      before: enterGateExclusive,
    }
    const remove = (tx: Context) => deleteClient(tx, caller, client_id, query.reason)
    return answerAct(reply, await act(ctx, caller, event, asked, remove))
  })
}

/** Who administers changes one at a time; when keys change, no token is minted that would outlive them. */
function gateOf(body: ClientUpdate): { before?: (tx: Context) => Promise<void> } {
  const { access, grant_types, jwks, jwks_uri } = body
  const behindGate = [access, grant_types, jwks, jwks_uri].some(member => member !== undefined)
  return behindGate ? { before: enterGateExclusive } : {}
}
