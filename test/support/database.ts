import { after } from 'node:test'
import type { Kysely } from 'kysely'
import { type Connection, openDatabase } from '../../src/server/store/database.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { execute, onDatabase, startTestServer, type TestServer } from './test-server.ts'

export type TestDatabase = { connection: Connection; db: Kysely<Database>; drop: () => Promise<void> }

let server: Promise<TestServer> | undefined
let made = 0

/** A migrated database of one's own, copied from the template. `drop()` also closes `db`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  server ??= findServer()
  return await createDatabase(`template ${(await server).template} strategy file_copy`)
}

/** A database without a schema. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await createDatabase('')
}

async function createDatabase(source: string): Promise<TestDatabase> {
  server ??= findServer()
  const { admin } = await server
  made += 1
  const name = `remit_test_${process.pid}_${made}`
  await execute(admin, `drop database if exists ${name} with (force)`)
  await copyTemplate(admin, `create database ${name} ${source}`)
  const connection = onDatabase(admin, name)
  const db = openDatabase(connection)
  return {
    connection,
    db,
    async drop() {
      await db.destroy()
      await execute(admin, `drop database if exists ${name} with (force)`)
    },
  }
}

/** The run's server, or, when one file is run alone, one of its own that ends with it. */
async function findServer(): Promise<TestServer> {
  const shared = process.env.TEST_DATABASE_SERVER
  if (shared) return JSON.parse(shared)
  const own = await startTestServer()
  after(own.stop)
  return own.server
}

/** Two copies at once, or a vacuum in the template, make Postgres say "being accessed by other users" (55006). */
async function copyTemplate(admin: Connection, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await execute(admin, statement)
    } catch (error) {
      const inUse = error instanceof Error && 'code' in error && error.code === '55006'
      if (!inUse || attempt === 10) throw error
    }
  }
}
