import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'
import { isReadTimeout } from './storage-trouble.ts'

export { isStorageTrouble } from './storage-trouble.ts'

/** Where Postgres is: a URL, or a UNIX socket (`host` is then its directory). */
export type Connection = { connectionString: string } | { host: string; port: number; user: string; database: string }

const TIMEOUTS = {
  connectionTimeoutMillis: 1_000,
  query_timeout: 2_000,
  statement_timeout: 2_000,
  idle_in_transaction_session_timeout: 5_000,
  lock_timeout: 1_000,
}

/** A look-up by an index in every step, whatever was in the tables when it was planned. */
const LOOK_UPS = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'enable_bitmapscan=off',
  // Before PostgreSQL 18 what is turned off and needed all the same counts as costly enough to be compiled.
  'jit=off',
]

/**
 * `pass`: connections of the token endpoints alone, for a few statements of constant text that many requests share, each
 * planned once a connection. What administrators ask takes none of them, and is planned for what was asked. `side`: a few
 * for one kind of work that may be slow, so that it waits for itself alone (reliability.md R12). `probe`: of readiness and
 * the clock, which wait behind nobody.
 */
const KINDS = {
  general: { max: 10, application_name: 'remit' },
  side: { max: 3, application_name: 'remit side' },
  pass: {
    max: 6,
    application_name: 'remit token',
    options: LOOK_UPS.map(setting => `-c ${setting}`).join(' '),
    pipeline: true,
  },
  probe: { max: 1, application_name: 'remit probe' },
} as const

type Prepared = (text: string) => { readonly name?: string }
type Counted = { readonly pool: pg.Pool; acquired: number }

const pools = new WeakMap<Kysely<Database>, Counted>()
const preparations = new WeakMap<Kysely<Database>, Prepared>()

/** Open, idle, and requests that wait for one; `acquired` counts those that were ever handed out. */
export type PoolStats = Readonly<Record<'total' | 'idle' | 'waiting' | 'acquired', number>>

/**
 * A pool of connections (attacks.md section 7: a hung or lost database costs seconds, never the process). `report` hears
 * of connections that broke while nobody was using them.
 */
export function openDatabase(
  connection: Connection,
  report: (error: unknown) => void = () => {},
  kind: keyof typeof KINDS = 'general',
  max: number = KINDS[kind].max,
): Kysely<Database> {
  const pool = new pg.Pool({ ...connection, ...TIMEOUTS, ...KINDS[kind], max, allowExitOnIdle: false })
  const counted = { pool, acquired: 0 }
  pool.on('acquire', () => {
    counted.acquired += 1
  })
  // Once we close the pool, a server that stops at the same moment is no news.
  const reportLoss = (error: unknown) => {
    if (!pool.ending) report(error)
  }
  pool.on('error', reportLoss)
  // A connection that breaks between two statements of a transaction belongs to no query and, checked out, not to the
  // pool either: without a listener of its own that is an uncaught exception.
  pool.on('connect', client => client.on('error', reportLoss))
  const prepared = kind === 'pass' ? prepareByText() : () => ({})
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: discardHungConnections(pool, prepared),
    }),
  })
  pools.set(db, counted)
  preparations.set(db, prepared)
  return db
}

/** Kysely ends no pool of which it never took a connection itself, and that pool would hold up the end of the process. */
export async function closeDatabase(db: Kysely<Database>): Promise<void> {
  const pool = pools.get(db)?.pool
  if (pool?.ending) return
  await db.destroy()
  if (pool && !pool.ending) await pool.end()
}

/** Connections of the pool behind `db`. */
export function poolStats(db: Kysely<Database>): PoolStats {
  const { pool, acquired = 0 } = pools.get(db) ?? {}
  return {
    total: pool?.totalCount ?? 0,
    idle: pool?.idleCount ?? 0,
    waiting: pool?.waitingCount ?? 0,
    acquired,
  }
}

/** Whether the database takes writes: a standby that answers is no use (reliability.md R10). */
export async function isWritable(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql<{ writable: boolean }>`
    select current_setting('transaction_read_only') = 'off' as writable`.execute(db)
  return rows[0]?.writable === true
}

/** A connection of the pool behind `db`, opened with kind `pass`; who takes it hands it back. */
export async function passConnection(db: Kysely<Database>): Promise<{ client: pg.PoolClient; prepared: Prepared }> {
  const [pool, prepared] = [pools.get(db)?.pool, preparations.get(db)]
  if (!pool || !prepared) throw new Error('driver has already been destroyed')
  return { client: await pool.connect(), prepared }
}

/**
 * Refuses a server that cannot keep our promises: older than PostgreSQL 15, or, in production, one that may lose what
 * it acknowledged (reliability.md R2). Throws StartRefused.
 */
export async function checkServer(db: Kysely<Database>, production: boolean): Promise<void> {
  const { rows } = await sql<{ version: string; server_version: string; durable: boolean }>`
    select current_setting('server_version_num') as version, current_setting('server_version') as server_version,
      current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on'
        and current_setting('synchronous_commit') <> 'off' as durable`.execute(db)
  const [server] = rows
  if (!server || Number(server.version) < 150_000) {
    throw new StartRefused(`PostgreSQL ${server?.server_version} is too old: use version 15 or newer.`)
  }
  if (production && !server.durable) {
    throw new StartRefused(
      'The database runs with fsync, full_page_writes or synchronous_commit off and can lose data: turn them on.',
    )
  }
}

/**
 * A query that timed out on our side still occupies its connection, and a ROLLBACK behind it may never be sent: the
 * connection is closed instead of handed to the next request with a transaction open.
 */
function discardHungConnections(pool: pg.Pool, prepared: Prepared): PostgresPool {
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
        return client
          .query({ ...(parameters.length > 0 && prepared(text)), text, values: [...parameters] })
          .catch((error: unknown) => {
            hung ||= isReadTimeout(error)
            throw error
          })
      }
      return { query, release: destroy => client.release(hung || destroy) }
    },
  }
}

/** More texts than the pass has: what is over is planned each time. */
const MOST_PREPARED = 100

/** A name for each statement by which a connection finds it prepared (PostgreSQL, PREPARE). */
function prepareByText(): Prepared {
  const names = new Map<string, { readonly name: string }>()
  return text => {
    const known = names.get(text)
    if (known || names.size >= MOST_PREPARED) return known ?? {}
    const named = { name: `remit_${names.size}` }
    names.set(text, named)
    return named
  }
}
