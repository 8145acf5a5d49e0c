import type { Context } from '../context.ts'
import type { App } from './app-type.ts'

/** What every answer carries unless its route said otherwise: nothing is cached, sniffed or framed (attacks.md 113). */
export function hardenResponses(app: App): void {
  app.addHook('onSend', async (request, reply) => {
    // What "remit explain" and the log know the request by.
    reply.header('x-request-id', request.id)
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
    reply.header('x-frame-options', 'DENY').header('cross-origin-resource-policy', 'same-origin')
  })
}

/**
 * While the node drains, every answer ends its connection: the client opens the next one at a node that stays, and none
 * is cut with a request on it (reliability.md R7).
 */
export function endConnections(app: App, ctx: Context): void {
  app.addHook('onSend', async (_request, reply) => {
    if (ctx.node.isDraining()) reply.header('connection', 'close')
  })
}

/** One line and one count a request. Never the query: it may hold what should have been in the body. */
export function logRequests(app: App, ctx: Context): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unmatched'
    const status = reply.statusCode
    ctx.metrics.requests.inc({ route, status })
    const milliseconds = Math.round(reply.elapsedTime)
    const level = request.shed ? 'debug' : 'info'
    request.log[level]({ method: request.method, route, status, milliseconds, address: request.ip }, 'request')
  })
}
