import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Connection } from './database.ts'
import type { Database } from './schema.ts'
import { isReadTimeout } from './storage-trouble.ts'

const TIMEOUTS = {
  connectionTimeoutMillis: 1_000,
  query_timeout: 2_000,
  statement_timeout: 2_000,
  idle_in_transaction_session_timeout: 5_000,
  lock_timeout: 1_000,
}
/** Opened when needed and closed when idle: a quiet process holds none. */
const MOST = 3

/**
 * A small pool for one kind of work, so that slow queries of that kind wait for each other and take no connection from
 * minting (reliability.md R12). Time-outs as in the pool of requests.
 */
export function openSidePool(connection: Connection, report: (error: unknown) => void = () => {}): Kysely<Database> {
  const pool = new pg.Pool({ ...connection, ...TIMEOUTS, max: MOST, application_name: 'remit' })
  const reportLoss = (error: unknown) => {
    if (!pool.ending) report(error)
  }
  pool.on('error', reportLoss)
  pool.on('connect', client => client.on('error', reportLoss))
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: discardHungConnections(pool) }) })
}

/** As in the pool of requests: a connection whose query timed out is closed, never handed on. */
function discardHungConnections(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect(): Promise<PostgresPoolClient> {
      const client = await pool.connect()
      let hung = false
      function query<R>(text: string, parameters: ReadonlyArray<unknown>): Promise<PostgresQueryResult<R>>
      function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
      function query(text: unknown, parameters: ReadonlyArray<unknown> = []): unknown {
        if (typeof text !== 'string') throw new TypeError('no cursors here')
        return client.query(text, [...parameters]).catch((error: unknown) => {
          hung ||= isReadTimeout(error)
          throw error
        })
      }
      return { query, release: destroy => client.release(hung || destroy) }
    },
  }
}
