import { z } from 'zod'
import type { Context } from '../context.ts'
import { pendingMigrations } from '../store/migrate.ts'
import type { App } from './app-type.ts'

const LIMIT_MILLISECONDS = 1000

const healthSchema = z.object({ status: z.literal('ok') })
const readinessSchema = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.object({ database: z.boolean(), migrations: z.boolean(), signing_key: z.boolean() }),
})
type Checks = z.output<typeof readinessSchema>['checks']

/** Whether the process lives, and whether it should get traffic. Any Host: probes ask by address. */
export async function healthRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const health = { summary: 'The process lives', tags: ['operations'], response: { 200: healthSchema } }
  app.get('/healthz', { config: { permission: 'public', anyHost: true }, schema: health }, async () => {
    return { status: 'ok' as const }
  })
  const readiness = {
    summary: 'The server can issue tokens',
    tags: ['operations'],
    response: { 200: readinessSchema, 503: readinessSchema },
  }
  app.get(
    '/readyz',
    { config: { permission: 'public', anyHost: true }, schema: readiness },
    async (_request, reply) => {
      const checks = await withinLimit(runChecks(ctx))
      const isReady = Object.values(checks).every(Boolean)
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not_ready', checks })
    },
  )
}

const NOTHING: Checks = { database: false, migrations: false, signing_key: false }

async function runChecks(ctx: Context): Promise<Checks> {
  try {
    const pending = await pendingMigrations(ctx.db)
    return { database: true, migrations: pending.length === 0, signing_key: ctx.keys.published().length > 0 }
  } catch (error) {
    ctx.log.warn({ error: error instanceof Error ? error.message : 'unknown' }, 'not ready')
    return NOTHING
  }
}

/** A probe gets its answer in time, also from a database that hangs. */
async function withinLimit(checks: Promise<Checks>): Promise<Checks> {
  const { promise, resolve } = Promise.withResolvers<Checks>()
  const timer = setTimeout(() => resolve(NOTHING), LIMIT_MILLISECONDS)
  try {
    return await Promise.race([checks, promise])
  } finally {
    clearTimeout(timer)
  }
}
