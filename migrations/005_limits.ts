import { type Kysely, sql } from 'kysely'

const STATEMENTS = [
  // What the nodes tell each other about how often somebody asked: sums by minute, worth nothing two minutes later.
  // Unlogged: a crash forgets a minute of counts, and no count costs a write of the log.
  `create unlogged table request_count (
    counted text not null,
    minute_at timestamptz not null,
    n integer not null,
    primary key (counted, minute_at)
  ) with (fillfactor = 70)`,
  `create index request_count_by_minute on request_count (minute_at)`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}
