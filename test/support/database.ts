import type { Kysely } from 'kysely'
import { type Connection, openDatabase } from '../../src/server/store/database.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { execute, onDatabase, startTestServer, type TestServer } from './test-server.ts'

export type TestDatabase = { connection: Connection; db: Kysely<Database>; drop: () => Promise<void> }

type Running = { server: TestServer; stop: () => Promise<void> }

let running: Promise<Running> | undefined
let made = 0
let inUse = 0

/** A migrated database of one's own, copied from the template. End with `drop()`, which also closes `db`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await createDatabase(({ template }) => `template ${template} strategy file_copy`)
}

/** A database without a schema. End with `drop()`. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await createDatabase(() => '')
}

async function createDatabase(source: (server: TestServer) => string): Promise<TestDatabase> {
  inUse += 1
  running ??= findServer()
  const { server } = await running
  made += 1
  const name = `remit_test_${process.pid}_${made}`
  const dropDatabase = `drop database if exists ${name} with (force)`
  await execute(server.admin, dropDatabase)
  await copyTemplate(server.admin, `create database ${name} ${source(server)}`)
  const connection = onDatabase(server.admin, name)
  const db = openDatabase(connection)
  return {
    connection,
    db,
    async drop() {
      await db.destroy()
      await execute(server.admin, dropDatabase)
      await leaveServer()
    },
  }
}

/** The run's server, or, when one file is run alone, one of its own. */
async function findServer(): Promise<Running> {
  const shared = process.env.TEST_DATABASE_SERVER
  return shared ? { server: JSON.parse(shared), stop: async () => {} } : await startTestServer()
}

/** A server of one's own ends with its last database. */
async function leaveServer(): Promise<void> {
  inUse -= 1
  if (inUse > 0) return
  const last = await running
  running = undefined
  await last?.stop()
}

/** Two copies at once, or a vacuum in the template, make Postgres say "being accessed by other users" (55006). */
async function copyTemplate(admin: TestServer['admin'], statement: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await execute(admin, statement)
    } catch (error) {
      const busy = error instanceof Error && 'code' in error && error.code === '55006'
      if (!busy || attempt === 10) throw error
    }
  }
}
