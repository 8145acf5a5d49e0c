import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Connection } from '../../src/server/store/database.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import { inLongSession } from '../../src/server/store/long-session.ts'
import { migrateToLatest } from '../../src/server/store/migrate.ts'
import { TABLES } from '../../src/server/store/partition-plan.ts'
import { addPartition } from '../../src/server/store/partitions.ts'

/** Where test databases are made, and the migrated one they are copied from. */
export type TestServer = { admin: Connection; template: string }

/**
 * One server for many tests: `TEST_DATABASE_URL`, whose user may create databases, else an embedded Postgres in a
 * temporary directory.
 */
export async function startTestServer(): Promise<{ server: TestServer; stop: () => Promise<void> }> {
  const { admin, stop } = await startAdmin()
  const template = `remit_test_template_${process.pid}`
  await execute(admin, `drop database if exists ${template}`, `create database ${template}`)
  await migrateToLatest(onDatabase(admin, template))
  // One partition of all time: a test's clock may jump, and few files make a copy cheap.
  const endless = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
  await inLongSession(onDatabase(admin, template), 'remit test', async session => {
    for (const table of TABLES) await addPartition(session, { table, ...endless })
  })
  return {
    server: { admin, template },
    async stop() {
      await execute(admin, `drop database ${template} with (force)`)
      await stop()
    },
  }
}

/** The same server, another database. */
export function onDatabase(connection: Connection, database: string): Connection {
  if (!('connectionString' in connection)) return { ...connection, database }
  const url = new URL(connection.connectionString)
  url.pathname = `/${database}`
  return { connectionString: url.href }
}

/** Runs statements that may not stand in a transaction. */
export async function execute(connection: Connection, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Copying a database makes hundreds of files: memory does that in 20 ms where some disks take 400. */
async function fastDirectory(): Promise<string> {
  const { bavail, bsize } = await statfs('/dev/shm').catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > 2 ** 31 ? '/dev/shm' : tmpdir()
}

async function startAdmin(): Promise<{ admin: Connection; stop: () => Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL
  if (given) return { admin: { connectionString: given }, stop: async () => {} }
  const directory = await mkdtemp(join(await fastDirectory(), 'remit-test-'))
  const postgres = await startEmbeddedPostgres(directory)
  return {
    admin: onDatabase(postgres.connection, 'postgres'),
    async stop() {
      await postgres.stop()
      await rm(directory, { recursive: true })
    },
  }
}
