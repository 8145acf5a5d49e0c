import { z } from 'zod'
import type { Context } from '../context.ts'
import type { Admission } from './admission.ts'
import type { App } from './app-type.ts'

type Options = { readonly ctx: Context; readonly admission: Admission }

/**
 * Prometheus metrics on the admin listener. `public` because that listener is not: it is bound to the loopback address
 * or to a network of the operator's, and a scraper has no token of ours. No label holds input.
 */
export async function metricsRoute(app: App, { ctx, admission }: Options): Promise<void> {
  const { inWork, places } = ctx.metrics
  const schema = { summary: 'Prometheus metrics', tags: ['operations'], response: { 200: z.string() } }
  app.get('/metrics', { config: { permission: 'public', anyHost: true }, schema }, async (_request, reply) => {
    const { pace, ...works } = admission
    for (const [work, { held }] of Object.entries(works)) inWork.set({ work }, held())
    places.set(pace.places())
    const text = await ctx.metrics.text()
    return reply
      .type(ctx.metrics.registry.contentType)
      .serializer((metrics: string) => metrics)
      .send(text)
  })
}
