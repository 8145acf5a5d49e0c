import { z } from 'zod'
import type { Context } from '../context.ts'
import { poolStats } from '../store/database.ts'
import type { Admission } from './admission.ts'
import type { App } from './app-type.ts'

type Options = { readonly ctx: Context; readonly admission: Admission }

/**
 * Prometheus metrics on the admin listener. `public` because that listener is not: it is bound to the loopback address
 * or to a network of the operator's, and a scraper has no token of ours. No label holds input.
 */
export async function metricsRoute(app: App, { ctx, admission }: Options): Promise<void> {
  const { registry, pool, inWork, places } = ctx.metrics
  const schema = { summary: 'Prometheus metrics', tags: ['operations'], response: { 200: z.string() } }
  app.get('/metrics', { config: { permission: 'public', anyHost: true }, schema }, async (_request, reply) => {
    for (const [state, value] of Object.entries(poolStats(ctx.db))) pool.set({ state }, value)
    const { pace, ...works } = admission
    for (const [work, { held }] of Object.entries(works)) inWork.set({ work }, held())
    places.set(pace.places())
    const text = await registry.metrics()
    return reply
      .type(registry.contentType)
      .serializer((metrics: string) => metrics)
      .send(text)
  })
}
