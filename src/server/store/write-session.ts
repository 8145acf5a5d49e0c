import { Socket } from 'node:net'
import {
  type CompiledQuery,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type RawBuilder,
} from 'kysely'
import type pg from 'pg'
import { passConnection } from './database.ts'
import type { Database } from './schema.ts'

/**
 * A connection for one transaction whose statements do not wait for each other: all that are asked for in one turn of
 * the event loop go out together, are done in their order, and are answered in it (PostgreSQL, pipelining).
 */
export type WriteSession = {
  readonly db: Kysely<Database>
  /** Sends statements without parameters. */
  readonly send: (text: string) => Promise<void>
  readonly run: (statement: RawBuilder<unknown>) => Promise<void>
  /** Throws where the transaction was rolled back instead. */
  readonly commit: () => Promise<void>
  /** Hands the connection back. */
  readonly close: () => void
  /** Undoes what was not committed; closes the connection where a statement failed or does not come back. */
  readonly undo: () => Promise<void>
}

type Ask = (query: pg.QueryConfig) => Promise<pg.QueryResult>

export async function openWriteSession(passDb: Kysely<Database>): Promise<WriteSession> {
  const { client, prepared } = await passConnection(passDb)
  const send = inOneWrite(client)
  let isSound = true
  const ask: Ask = query => {
    return send(query).catch((error: unknown) => {
      isSound = false
      throw error
    })
  }
  const query = (text: string, values: readonly unknown[]) => ask({ ...prepared(text), text, values: [...values] })
  const db = overConnection(query)
  return {
    db,
    async send(text) {
      await ask({ text })
    },
    async run(statement) {
      const { sql, parameters } = statement.compile(db)
      await query(sql, parameters)
    },
    async commit() {
      const { command } = await ask({ text: 'commit' })
      if (command !== 'COMMIT') throw new Error('The transaction was rolled back.')
    },
    close: () => client.release(),
    async undo() {
      // Sent behind everything that is on its way.
      if (isSound) await ask({ text: 'rollback' }).catch(() => undefined)
      client.release(!isSound)
    },
  }
}

/** Holds back what is written in this turn of the event loop, so that it leaves in one system call. */
function inOneWrite(client: pg.PoolClient): Ask {
  const socket = socketOf(client)
  let isHeld = false
  return query => {
    if (!isHeld) {
      isHeld = true
      socket?.cork()
      setImmediate(() => {
        isHeld = false
        socket?.uncork()
      })
    }
    return client.query(query)
  }
}

function socketOf(client: object): Socket | undefined {
  const connection = 'connection' in client ? client.connection : undefined
  if (typeof connection !== 'object' || connection === null || !('stream' in connection)) return undefined
  return connection.stream instanceof Socket ? connection.stream : undefined
}

/** Kysely without a pool: each statement goes out when it is asked for. */
function overConnection(
  query: (text: string, values: readonly unknown[]) => Promise<pg.QueryResult>,
): Kysely<Database> {
  const connection = {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, rowCount } = await query(sql, parameters)
      return { rows, numAffectedRows: BigInt(rowCount ?? 0) }
    },
    streamQuery() {
      throw new Error('no cursors here')
    },
  }
  const noTransaction = async () => {
    throw new Error('A write session is one transaction.')
  }
  return new Kysely<Database>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => ({
        init: async () => {},
        acquireConnection: async () => connection,
        beginTransaction: noTransaction,
        commitTransaction: noTransaction,
        rollbackTransaction: noTransaction,
        releaseConnection: async () => {},
        destroy: async () => {},
      }),
      createIntrospector: db => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}
