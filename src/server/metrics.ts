import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { PoolStats } from './store/database.ts'

export type Metrics = ReturnType<typeof createMetrics>

/**
 * The server's metrics in a registry of its own. Labels come from fixed sets only, never from input. `readPools` is asked
 * at each scrape.
 */
export function createMetrics(readPools: () => readonly PoolStats[] = () => []) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    /** What a scrape gets: of every worker, where there are several. */
    text: () => registry.metrics(),
    requests: new Counter({
      name: 'remit_requests_total',
      help: 'HTTP requests by route and status',
      labelNames: ['route', 'status'],
      registers,
    }),
    mints: new Counter({
      name: 'remit_tokens_issued_total',
      help: 'Tokens issued by grant and profile',
      labelNames: ['grant', 'token_profile'],
      registers,
    }),
    refusals: new Counter({
      name: 'remit_refusals_total',
      help: 'Refusals by reason',
      labelNames: ['reason'],
      registers,
    }),
    resourceRefusals: new Counter({
      name: 'remit_resource_refusals_total',
      help: 'Requests that APIs refused, by reason, as their own clients report them',
      labelNames: ['reason'],
      registers,
    }),
    webhookAttempts: new Counter({
      name: 'remit_webhook_attempts_total',
      help: 'Attempts to deliver a webhook by result: delivered, retried, failed, gone',
      labelNames: ['result'],
      registers,
    }),
    mintSeconds: new Histogram({
      name: 'remit_mint_duration_seconds',
      help: 'Time of an issued token, request to answer',
      labelNames: ['grant'],
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3],
      registers,
    }),
    clockSkew: new Gauge({
      name: 'remit_clock_skew_seconds',
      help: 'How far the clock is from that of the database, as last measured',
      aggregator: 'max',
      registers,
    }),
    workerDeaths: new Counter({
      name: 'remit_worker_deaths_total',
      help: 'Workers that ended without being told and were started again',
      registers,
    }),
    inWork: new Gauge({
      name: 'remit_requests_in_work',
      help: 'Requests that have a place, by kind of work',
      labelNames: ['work'],
      registers,
    }),
    places: new Gauge({
      name: 'remit_token_places',
      help: 'Requests for tokens that may be in work at once now',
      registers,
    }),
    pool: new Gauge({
      name: 'remit_db_pool_connections',
      help: 'Database connections by state',
      labelNames: ['state'],
      registers,
      collect() {
        const pools = readPools()
        for (const state of ['total', 'idle', 'waiting'] as const) {
          this.set(
            { state },
            pools.reduce((sum, pool) => sum + pool[state], 0),
          )
        }
      },
    }),
  }
}
