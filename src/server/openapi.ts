import { pino } from 'pino'
import { stringify } from 'yaml'
import { buildApp } from './app.ts'
import { createUnauthenticatedCounter } from './audit/unauthenticated.ts'
import { createClockCheck } from './clock-check.ts'
import { loadConfig } from './config.ts'
import { type Context, randomId, systemClock, timeIdAt } from './context.ts'
import { mergedDocument } from './http/openapi.ts'
import { createSealer, namedKek } from './keys/sealing.ts'
import { createLimits } from './limits.ts'
import { createMetrics } from './metrics.ts'
import { createNodeHealth } from './node-health.ts'
import { openDatabase } from './store/database.ts'
import { createGroupCommit } from './store/group-commit.ts'
import { createRecordCache } from './token/known-records.ts'

/** The OpenAPI document of both listeners as YAML, made from the schemas of the routes; the same text every time. */
export async function generateOpenapi(): Promise<string> {
  const ctx = unconnectedContext()
  const { public: publicApp, admin } = await buildApp(ctx)
  try {
    return stringify(mergedDocument([publicApp, admin]), { lineWidth: 120, aliasDuplicateObjects: false })
  } finally {
    await Promise.all([publicApp.close(), admin.close()])
    await Promise.all([ctx.db.destroy(), ctx.passDb.destroy()])
  }
}

/** Routes are put together without a database or keys; a request would need both. */
function unconnectedContext(): Context {
  const noKeys = async () => {
    throw new Error('This context only describes the routes.')
  }
  const config = loadConfig({})
  const db = openDatabase({ connectionString: 'postgres://localhost/none' })
  const log = pino({ level: 'silent' })
  return {
    config,
    db,
    passDb: openDatabase({ connectionString: 'postgres://localhost/none' }),
    pools: { registration: db, administration: db },
    keys: {
      signer: noKeys,
      published: () => [],
      verifier: noKeys,
      standing: () => [],
      unopened: () => [],
      refresh: noKeys,
      dpopNonceKey: Buffer.alloc(0),
      cursorKey: Buffer.alloc(0),
      workflowNamesKey: Buffer.alloc(0),
    },
    commits: createGroupCommit(),
    records: createRecordCache(),
    sealer: createSealer([namedKek(Buffer.alloc(32))]),
    metrics: createMetrics(),
    limits: createLimits(config, systemClock),
    unauthenticated: createUnauthenticatedCounter(),
    remoteKeys: { find: noKeys, fetch: noKeys, kept: () => undefined },
    node: createNodeHealth({
      clock: createClockCheck({ now: systemClock, monotonic: () => 0, database: noKeys, log }),
      probe: db,
    }),
    notBefore: 0,
    log,
    now: systemClock,
    randomId,
    timeId: (at = systemClock()) => timeIdAt(at),
  }
}
