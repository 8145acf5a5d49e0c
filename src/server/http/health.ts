import { z } from 'zod'
import { SIGNING_ALGS } from '../../protocol/resource.ts'
import type { Context } from '../context.ts'
import { isWritable } from '../store/database.ts'
import { isMigrated } from '../store/migrate.ts'
import type { App } from './app-type.ts'

/** A probe has its answer within a second (reliability.md R11), the network included. */
const LIMIT_MILLISECONDS = 800

const healthSchema = z.object({ status: z.literal('ok') })
const checksSchema = z.object({
  accepting: z.boolean().describe('It was not told to stop.'),
  clock: z.boolean().describe('Its clock is at most 30 s from that of the database.'),
  database: z.boolean().describe('The database answers and takes writes.'),
  migrations: z.boolean().describe('Every migration of this release is there.'),
  pool: z.boolean().describe('Requests still get database connections.'),
  signing_key: z.boolean().describe('It can sign with every algorithm.'),
})
const readinessSchema = z.object({ status: z.enum(['ready', 'not_ready']), checks: checksSchema })
type Checks = z.output<typeof checksSchema>

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
  const askDatabase = onceAtATime(() => asked(ctx))
  app.get(
    '/readyz',
    { config: { permission: 'public', anyHost: true }, schema: readiness },
    async (_request, reply) => {
      const checks = await runChecks(ctx, askDatabase)
      const isReady = Object.values(checks).every(Boolean)
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not_ready', checks })
    },
  )
}

type Asked = Pick<Checks, 'database' | 'migrations' | 'signing_key'>

const NO_ANSWER: Asked = { database: false, migrations: false, signing_key: false }

async function runChecks({ node, log }: Context, askDatabase: () => Promise<Asked>): Promise<Checks> {
  const known = {
    accepting: !node.isDraining(),
    clock: node.clock.judgement() !== 'stopped',
    pool: !node.isPoolStuck(),
  }
  try {
    return { ...known, ...(await withinLimit(askDatabase())) }
  } catch (error) {
    log.warn({ error: error instanceof Error ? error.message : 'unknown' }, 'not ready')
    return { ...known, ...NO_ANSWER }
  }
}

async function asked({ node, keys }: Context): Promise<Asked> {
  const database = await isWritable(node.probe)
  const migrations = await isMigrated(node.probe)
  return { database, migrations, signing_key: await canSign(keys) }
}

/** As a mint would find it: a view of the keys that is too old does not sign. */
async function canSign(keys: Context['keys']): Promise<boolean> {
  const signers = await Promise.allSettled(SIGNING_ALGS.map(alg => keys.signer(alg)))
  return signers.every(({ status }) => status === 'fulfilled')
}

/** However many probe at once, and whoever does: one question to the database at a time. */
function onceAtATime<T>(ask: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/** A probe gets its answer in time, also from a database that hangs. */
async function withinLimit(answer: Promise<Asked>): Promise<Asked> {
  const { promise, resolve } = Promise.withResolvers<Asked>()
  const timer = setTimeout(() => resolve(NO_ANSWER), LIMIT_MILLISECONDS)
  try {
    return await Promise.race([answer, promise])
  } finally {
    clearTimeout(timer)
  }
}
