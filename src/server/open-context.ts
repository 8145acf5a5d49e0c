import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { epochSeconds } from '../protocol/time.ts'
import { createUnauthenticatedCounter } from './audit/unauthenticated.ts'
import { createClockCheck } from './clock-check.ts'
import type { Config } from './config.ts'
import { type Context, monotonicClock, randomId, systemClock, timeIdAt } from './context.ts'
import { createRemoteKeys } from './fetch/remote-keys.ts'
import { checkCanary } from './keys/canary.ts'
import { loadServerSecret } from './keys/derive.ts'
import { loadKek } from './keys/kek.ts'
import { openKeyring } from './keys/open-keyring.ts'
import { createSealer } from './keys/sealing.ts'
import { createLimits } from './limits.ts'
import { createMetrics } from './metrics.ts'
import { createNodeHealth } from './node-health.ts'
import { textOf } from './stop-once.ts'
import { readDatabaseClock } from './store/clock.ts'
import { type Connection, checkServer, closeDatabase, openDatabase, poolStats } from './store/database.ts'
import { proveAdvisoryLocks } from './store/gate-proof.ts'
import { createGroupCommit } from './store/group-commit.ts'
import { preparePartitions } from './store/partitions.ts'
import { readRestoreEpoch } from './store/restore-epoch.ts'
import type { Database } from './store/schema.ts'
import { sealedRowsExist } from './store/sealing-canary.ts'
import { createRecordCache } from './token/known-records.ts'

/** How many connections a process holds, where it is one of several. */
export type PoolSizes = { readonly general: number; readonly pass: number }
/** `turn`: what workers of one node have in common, to write one after the other. */
export type Share = PoolSizes & { readonly turn?: number }

/** What was started so far and how it is stopped, last first. */
export type Stops = (() => Promise<void>)[]

/**
 * Opens the database and its keys; what was opened is added to `stops`. `prepare` migrates, or sees that it is migrated.
 * Throws StartRefused.
 */
export async function openContext(
  config: Config,
  log: Logger,
  connection: Connection,
  stops: Stops,
  prepare: (db: Kysely<Database>) => Promise<unknown>,
  share?: Share,
): Promise<Context> {
  const records = createRecordCache()
  const reportLoss = (error: unknown) => {
    log.warn({ error: textOf(error) }, 'a database connection was lost')
    records.forget()
  }
  const db = openDatabase(connection, reportLoss, 'general', share?.general)
  stops.push(() => closeDatabase(db))
  const passDb = openDatabase(connection, reportLoss, 'pass', share?.pass)
  stops.push(() => closeDatabase(passDb))
  const probe = openDatabase(connection, reportLoss, 'probe')
  stops.push(() => closeDatabase(probe))
  const openSide = () => {
    const side = openDatabase(connection, reportLoss, 'side')
    stops.push(() => closeDatabase(side))
    return side
  }
  const pools = { registration: openSide(), administration: openSide() }
  await checkServer(db, config.production)
  await prepare(db)
  await proveAdvisoryLocks(db)
  await preparePartitions(connection, { now: systemClock(), auditDays: config.auditDays })
  const sealer = createSealer(await loadKek(config, () => sealedRowsExist(db)))
  await checkCanary(db, sealer)
  const now = systemClock
  const keys = await openKeyring({ db, sealer, now }, await loadServerSecret(db, sealer, now()))
  const metrics = createMetrics(() => [db, passDb, probe, ...Object.values(pools)].map(poolStats))
  const measured = (seconds: number) => metrics.clockSkew.set(seconds)
  const database = () => readDatabaseClock(probe)
  const clock = createClockCheck({ now, monotonic: monotonicClock, database, log, measured })
  await clock.measure()
  return {
    config,
    db,
    passDb,
    pools,
    keys,
    commits: createGroupCommit(share?.turn),
    records,
    sealer,
    metrics,
    node: createNodeHealth({ clock, probe }),
    limits: createLimits(config, now),
    unauthenticated: createUnauthenticatedCounter(),
    remoteKeys: createRemoteKeys({ config, log, now }),
    notBefore: epochSeconds((await readRestoreEpoch(db)) ?? new Date(0)),
    log,
    now,
    randomId,
    timeId: (at = now()) => timeIdAt(at),
  }
}
