import { readdirSync } from 'node:fs'
import type { RemitPeer } from '../bench/peers/remit.ts'
import { residentMemory } from '../bench/processes.ts'

/** What was seen of server and database at one time, in seconds from the start; memory in bytes. */
export type Sample = {
  readonly at: number
  readonly rss: number
  readonly heap: number
  readonly external: number
  /** Of the server's processes, and of the database's. */
  readonly descriptors: number
  readonly database_rss: number
  readonly database_descriptors: number
  readonly database_processes: number
  /** 99th percentile of the delay of the event loop since the sample before, in milliseconds. */
  readonly event_loop_ms: number
}

/** One table with its indexes and partitions. */
export type Table = { readonly name: string; readonly bytes: number; readonly rows: number }
export type TableSample = { readonly at: number; readonly tables: readonly Table[] }

export async function sample(remit: RemitPeer, at: number): Promise<Sample> {
  const metrics = await (await fetch(`${remit.adminUrl}/metrics`)).text()
  const { server, database } = remit.processes()
  return {
    at,
    rss: residentMemory(server),
    heap: metric(metrics, 'nodejs_heap_size_used_bytes'),
    external: metric(metrics, 'nodejs_external_memory_bytes'),
    descriptors: descriptors(server),
    database_rss: residentMemory(database),
    database_descriptors: descriptors(database),
    database_processes: database.length,
    event_loop_ms: metric(metrics, 'nodejs_eventloop_lag_p99_seconds') * 1_000,
  }
}

/** Rows as the statistics of Postgres count them: to count them one by one would be a load of its own. */
export async function sampleTables({ query }: RemitPeer, at: number): Promise<TableSample> {
  const rows = await query(`
    select coalesce(whole.relname, part.relname) as name, sum(pg_total_relation_size(part.oid))::float8 as bytes,
        sum(pg_stat_get_live_tuples(part.oid))::float8 as rows
      from pg_class part
      left join pg_inherits on pg_inherits.inhrelid = part.oid
      left join pg_class whole on whole.oid = pg_inherits.inhparent
      where part.relkind = 'r' and part.relnamespace = 'public'::regnamespace
      group by 1 order by 1 limit 200`)
  return {
    at,
    tables: rows.map(row => ({ name: String(row.name), bytes: Number(row.bytes), rows: Number(row.rows) })),
  }
}

function metric(text: string, name: string): number {
  const [, value] = new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)$`, 'm').exec(text) ?? []
  if (value === undefined) throw new Error(`The metrics have no ${name}.`)
  return Number(value)
}

/** A process that has just ended has none. */
function descriptors(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + readdirSync(`/proc/${pid}/fd`).length
    } catch {
      return sum
    }
  }, 0)
}
