import { z } from 'zod'
import type { Context } from '../context.ts'
import { poolStats } from '../store/database.ts'
import type { App } from './app-type.ts'

/**
 * Prometheus metrics on the admin listener. `public` because that listener is not: it is bound to the loopback address
 * or to a network of the operator's, and a scraper has no token of ours. No label holds input.
 */
export async function metricsRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const { registry, pool } = ctx.metrics
  const schema = { summary: 'Prometheus metrics', tags: ['operations'], response: { 200: z.string() } }
  app.get('/metrics', { config: { permission: 'public', anyHost: true }, schema }, async (_request, reply) => {
    for (const [state, value] of Object.entries(poolStats(ctx.db))) pool.set({ state }, value)
    const text = await registry.metrics()
    return reply
      .type(registry.contentType)
      .serializer((metrics: string) => metrics)
      .send(text)
  })
}
