import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Config } from '../config.ts'
import { checkCanary } from '../keys/canary.ts'
import { loadKek } from '../keys/kek.ts'
import { createSealer } from '../keys/sealing.ts'
import { CLOCKS_AGREE_SECONDS } from '../store/clock.ts'
import { checkServer, openDatabase } from '../store/database.ts'
import { readServerState, type ServerState } from '../store/diagnosis.ts'
import { pendingMigrations } from '../store/migrate.ts'
import type { Database } from '../store/schema.ts'
import { sealedRowsExist } from '../store/sealing-canary.ts'
import { type Check, fail, ok, unlessRefused, warn } from './check.ts'
import { findEmbedded } from './embedded-socket.ts'
import { checkPartitions } from './partitions.ts'

const CLOCK_WARN_SECONDS = 2

/** The database, if it runs, and the key-encryption key against it. Nothing is started or written. */
export async function checkStorage(config: Config, now: () => Date): Promise<Check[]> {
  const name = 'database'
  if ('url' in config.database) return await checkRunning(config, { connectionString: config.database.url }, now)
  const embedded = await findEmbedded(config.dataDir)
  switch (embedded.state) {
    case 'absent':
      return [ok(name, 'There is none yet; it is made at the first start.'), await checkKek(config, false)]
    case 'stopped':
      return [
        warn(
          name,
          'The embedded Postgres does not run, so nothing in it was checked: run this beside a running server.',
        ),
        await checkKek(config, true),
      ]
    case 'unreadable':
      return [
        fail(name, `This user may not read the database in ${config.dataDir}: run this as the user of the server.`),
      ]
    case 'running': {
      const held = ok(
        'data directory holder',
        `Process ${embedded.holder} runs the embedded Postgres; it was asked there.`,
      )
      return [held, ...(await checkRunning(config, embedded.connection, now))]
    }
  }
}

async function checkRunning(config: Config, connection: Parameters<typeof openDatabase>[0], now: () => Date) {
  const db = openDatabase(connection)
  try {
    return await checkContent(config, db, now)
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    return [
      fail('database', `The database cannot be used${cause}: see that it runs and that DATABASE_URL is right.`),
      await checkKek(config, true),
    ]
  } finally {
    await db.destroy()
  }
}

async function checkContent(config: Config, db: Kysely<Database>, now: () => Date): Promise<Check[]> {
  const before = now().getTime()
  const state = await readServerState(db)
  const here = (before + now().getTime()) / 2
  const version = await unlessRefused('database', async () => {
    await checkServer(db, config.production)
    return ok('database', `PostgreSQL ${state.server_version} answers.`)
  })
  const migrations = await unlessRefused('migrations', async () => {
    const pending = await pendingMigrations(db)
    if (pending.length === 0) return ok('migrations', 'The schema is that of this release.')
    return warn('migrations', `Not yet run: ${pending.join(', ')}. The next start runs them, or "remit migrate".`)
  })
  const instant = { now: now(), auditDays: config.auditDays }
  const partitions = migrations.status === 'ok' ? [await checkPartitions(db, instant)] : []
  const findings = [version, checkDurability(state, config), checkClock(state, here), migrations, ...partitions]
  const isSealed = await hasSealedRows(db)
  const kek = await checkKek(config, isSealed)
  if (!isSealed || kek.status !== 'ok') return [...findings, kek]
  return [...findings, kek, await checkSealed(config, db)]
}

async function hasSealedRows(db: Kysely<Database>): Promise<boolean> {
  try {
    return await sealedRowsExist(db)
  } catch (error) {
    // No such table: a database before its first migration.
    if (error instanceof Error && 'code' in error && error.code === '42P01') return false
    throw error
  }
}

function checkDurability({ durable }: ServerState, { production }: Config): Check {
  if (durable) return ok('durability', 'fsync, full_page_writes and synchronous_commit are on.')
  const message = 'fsync, full_page_writes or synchronous_commit is off and the database can lose data: turn them on.'
  return production ? fail('durability', message) : warn('durability', message)
}

function checkClock({ clock }: ServerState, here: number): Check {
  const seconds = Math.abs(clock.getTime() - here) / 1000
  const message = `The clocks of this machine and of the database differ by ${seconds.toFixed(1)} s`
  if (seconds < CLOCK_WARN_SECONDS) return ok('clock', `${message}.`)
  const mend = `${message}: set both by NTP.`
  return seconds <= CLOCKS_AGREE_SECONDS ? warn('clock', mend) : fail('clock', mend)
}

/** Looks before it loads: in development the loader would make a missing file. */
async function checkKek(config: Config, isSealed: boolean): Promise<Check> {
  const name = 'key-encryption key'
  const path = config.kekFile ?? join(config.dataDir, 'kek')
  const exists = await stat(path).catch(() => undefined)
  if (!exists && !config.production && !isSealed) return ok(name, `${path} is made at the first start.`)
  return await unlessRefused(name, async () => {
    const keks = await loadKek(config, async () => true)
    return ok(
      name,
      `${path} holds ${keks.length === 1 ? 'one key' : `${keks.length} keys`} and only its owner reads it.`,
    )
  })
}

async function checkSealed(config: Config, db: Kysely<Database>): Promise<Check> {
  return await unlessRefused('sealed rows', async () => {
    await checkCanary(db, createSealer(await loadKek(config, async () => true)))
    return ok('sealed rows', 'The key-encryption key opens what is sealed in the database.')
  })
}
