import type { Context } from '../context.ts'
import { type ToPrimary, toWorkerSchema } from './messages.ts'

/** Longer than the primary waits for the slowest of the workers. */
const ANSWER_WITHIN_MS = 3_000

/** The context of a worker whose metrics are those of the whole node, and its answers when the primary asks for its own. */
export function scrapeAtPrimary(ctx: Context, tell: (message: ToPrimary) => void): { readonly ctx: Context } {
  const { registry } = ctx.metrics
  const asked = new Map<number, (text: string) => void>()
  let lastId = 0
  process.on('message', (message: unknown) => {
    const said = toWorkerSchema.safeParse(message).data
    if (said?.remit === 'metrics') asked.get(said.id)?.(said.text)
    if (said?.remit !== 'measure') return
    const { id } = said
    const measuring = registry.getMetricsAsJSON()
    measuring.then(metrics => tell({ remit: 'measured', id, metrics: metrics.map(plain) }))
  })

  async function text(): Promise<string> {
    lastId += 1
    const id = lastId
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const limit = setTimeout(() => reject(new Error('The primary did not answer a scrape.')), ANSWER_WITHIN_MS)
    asked.set(id, resolve)
    try {
      tell({ remit: 'scrape', id })
      return await promise
    } finally {
      clearTimeout(limit)
      asked.delete(id)
    }
  }

  return { ctx: { ...ctx, metrics: { ...ctx.metrics, text } } }
}

function plain<T extends { readonly type: unknown }>(metric: T) {
  return { ...metric, type: String(metric.type) }
}
