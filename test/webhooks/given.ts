import http from 'node:http'
import { after } from 'node:test'
import type { Context } from '../../src/server/context.ts'
import { sealWebhookSecret } from '../../src/server/keys/webhook-secret.ts'
import { insertDeliveries } from '../../src/server/store/webhook-deliveries.ts'
import { insertWebhook } from '../../src/server/store/webhooks.ts'

export type Received = {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: Record<string, string>
  readonly body: string
}

/** A receiver on loopback; `answer` is what it does once it has read a request. */
export async function givenReceiver(
  answer: (response: http.ServerResponse, received: Received) => void = response => response.writeHead(204).end(),
) {
  const received: Received[] = []
  const seen = { connections: 0 }
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const { method, url: path } = request
    const one = { method, path, headers, body: Buffer.concat(chunks).toString() }
    received.push(one)
    answer(response, one)
  })
  server.on('connection', () => {
    seen.connections += 1
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, port, received, seen }
}

export const SECRET = Buffer.alloc(32, 7)
export const SECRET_TEXT = `whsec_${SECRET.toString('base64')}`

/** A webhook as it was made, past the check of its URL. */
export async function givenWebhook(ctx: Context, url: string): Promise<string> {
  const webhook_id = `whk_${ctx.randomId()}`
  const secret_sealed = sealWebhookSecret(ctx, webhook_id, SECRET)
  await insertWebhook(ctx, {
    ...{ webhook_id, url, secret_sealed, status: 'active' as const },
    ...{ created_at: ctx.now(), created_by: 'admin' },
  })
  return webhook_id
}

/** Something that this webhook is to be told now. @returns its delivery_id */
export async function givenDue(ctx: Context, webhook_id: string, payload = '{"type":"approval.opened"}') {
  const delivery_id = `msg_${ctx.randomId()}`
  const now = ctx.now()
  await insertDeliveries(ctx, [
    {
      ...{ delivery_id, webhook_id, event_type: 'approval.opened', payload },
      ...{ attempts: 0, next_attempt_at: now, created_at: now },
    },
  ])
  return delivery_id
}

export async function deliveryOf(ctx: Context, delivery_id: string) {
  return await ctx.db
    .selectFrom('webhook_delivery')
    .select(['attempts', 'next_attempt_at', 'delivered_at', 'failed_at', 'last_result'])
    .where('delivery_id', '=', delivery_id)
    .executeTakeFirstOrThrow()
}
