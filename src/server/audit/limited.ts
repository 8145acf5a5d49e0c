import type { Context } from '../context.ts'
import { auditLimited } from './own-events.ts'

export type LimitedRequest = { readonly client_id: string; readonly endpoint: string; readonly address: string }

/** Requests of clients beyond their rate, counted in memory: a flood must not become a flood of rows. */
export type LimitedCounter = {
  readonly count: (request: LimitedRequest) => void
  /** Writes what was counted since the last call, a row for each client; keeps it where the write fails. */
  readonly flush: (ctx: Context) => Promise<void>
}

/** Past it the addresses of one client are no longer told apart. */
const MAX_CAUSES = 50

export function createLimitedCounter(): LimitedCounter {
  const counts = new Map<string, Map<string, LimitedRequest & { n: number }>>()

  function add(request: LimitedRequest, n: number): void {
    const { client_id, endpoint, address } = request
    const causes = counts.get(client_id) ?? new Map<string, LimitedRequest & { n: number }>()
    counts.set(client_id, causes)
    const key = JSON.stringify([endpoint, address])
    const known = causes.get(key)
    if (known) known.n += n
    else if (causes.size < MAX_CAUSES || address === 'other') causes.set(key, { ...request, n })
    else add({ ...request, address: 'other' }, n)
  }

  return {
    count: request => add(request, 1),
    async flush(ctx) {
      for (const [client_id, causes] of [...counts]) {
        counts.delete(client_id)
        try {
          await auditLimited(ctx, client_id, [...causes.values()])
        } catch (error) {
          for (const { n, ...request } of causes.values()) add(request, n)
          throw error
        }
      }
    },
  }
}
