import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import pino from 'pino'
import { buildApp, type Listeners } from '../../src/server/app.ts'
import { createUnauthenticatedCounter } from '../../src/server/audit/unauthenticated.ts'
import { createClockCheck } from '../../src/server/clock-check.ts'
import { loadConfig } from '../../src/server/config.ts'
import { type Context, randomId, timeIdAt } from '../../src/server/context.ts'
import { createRemoteKeys } from '../../src/server/fetch/remote-keys.ts'
import { loadServerSecret } from '../../src/server/keys/derive.ts'
import { openKeyring } from '../../src/server/keys/open-keyring.ts'
import { createSealer, namedKek, randomKey } from '../../src/server/keys/sealing.ts'
import { createLimits } from '../../src/server/limits.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { createNodeHealth } from '../../src/server/node-health.ts'
import { readDatabaseClock } from '../../src/server/store/clock.ts'
import { closeDatabase, openDatabase, poolStats } from '../../src/server/store/database.ts'
import { createGroupCommit } from '../../src/server/store/group-commit.ts'
import { createRecordCache } from '../../src/server/token/known-records.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { freePorts } from './free-ports.ts'

/** A clock that stands still unless told. */
export type TestClock = {
  readonly now: () => Date
  readonly seconds: () => number
  readonly advance: (seconds: number) => void
}

export type TestApp = {
  readonly issuer: string
  readonly adminUrl: string
  readonly ctx: Context
  readonly clock: TestClock
  readonly database: TestDatabase
  readonly listeners: Listeners
  /** Every line that was logged. */
  readonly log: readonly string[]
  readonly close: () => Promise<void>
}

export type TestAppOptions = {
  /** Settings on top of the test's own, by the names of the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Path of the issuer. */
  readonly path?: string
  /** `notBefore` of the context, in seconds after the start of the test clock; none unless told. */
  readonly notBefore?: number
}

/**
 * A whole server on two loopback ports with a database of its own. Call it at the top of a file, where it is closed when
 * the file ends, or inside a test; not in a `before` hook, at whose end it would be closed.
 */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const database = await createTestDatabase()
  const directory = await mkdtemp(join(tmpdir(), 'remit-app-'))
  const passDb = openDatabase(database.connection, () => {}, 'pass')
  const open: { close: () => Promise<unknown> }[] = []
  let closed = false
  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await Promise.all(open.map(app => app.close()))
    await Promise.all([passDb, ...Object.values(pools)].map(closeDatabase))
    // Run alone, a test file's own Postgres may have been stopped before.
    await database.drop().catch(() => {})
    await rm(directory, { recursive: true })
  }
  after(close)
  const [port, adminPort] = await freePorts()
  const config = loadConfig({
    NODE_ENV: 'test',
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_DATA_DIR: directory,
    REMIT_ISSUER: `http://127.0.0.1:${port}${options.path ?? ''}`,
    ...options.env,
  })
  const clock = testClock()
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: line => void lines.push(line) })
  const sealer = createSealer([namedKek(randomKey())])
  const { db } = database
  const openSide = () => openDatabase(database.connection, () => {}, 'side')
  const pools = { registration: openSide(), administration: openSide() }
  const { now } = clock
  const keys = await openKeyring({ db, sealer, now }, await loadServerSecret(db, sealer, now()))
  // Nobody asks unless a test does: the clock stands still, and the database's goes on.
  const clockCheck = createClockCheck({ now, monotonic: () => 0, database: () => readDatabaseClock(db), log })
  const ctx: Context = {
    config,
    db,
    passDb,
    pools,
    keys,
    commits: createGroupCommit(),
    records: createRecordCache(),
    sealer,
    metrics: createMetrics(() => [poolStats(db)]),
    node: createNodeHealth({ clock: clockCheck, probe: db }),
    limits: createLimits(config, now),
    unauthenticated: createUnauthenticatedCounter(),
    remoteKeys: createRemoteKeys({ config, log, now }),
    notBefore: options.notBefore === undefined ? 0 : clock.seconds() + options.notBefore,
    log,
    now,
    randomId,
    timeId: (at = now()) => timeIdAt(at),
  }
  const listeners = await buildApp(ctx)
  open.push(...new Set([listeners.public, listeners.admin]))
  await listeners.public.listen({ host: config.host, port: config.port })
  if (config.adminListen !== 'same') await listeners.admin.listen({ ...config.adminListen })
  return { issuer: config.issuer, adminUrl: config.adminUrl, ctx, clock, database, listeners, log: lines, close }
}

function testClock(): TestClock {
  // A whole second, so that a test may count in seconds.
  let time = Math.floor(Date.now() / 1000) * 1000
  return {
    now: () => new Date(time),
    seconds: () => time / 1000,
    advance: seconds => {
      time += seconds * 1000
    },
  }
}
