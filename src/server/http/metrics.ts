import { z } from 'zod'
import type { Context } from '../context.ts'
import type { App } from './app-type.ts'

/**
 * Prometheus metrics on the admin listener. `public` because that listener is not: it is bound to the loopback address
 * or to a network of the operator's, and a scraper has no token of ours. No label holds input.
 */
export async function metricsRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = { summary: 'Prometheus metrics', tags: ['operations'], response: { 200: z.string() } }
  app.get('/metrics', { config: { permission: 'public', anyHost: true }, schema }, async (_request, reply) => {
    const text = await ctx.metrics.text()
    return reply
      .type(ctx.metrics.registry.contentType)
      .serializer((metrics: string) => metrics)
      .send(text)
  })
}
