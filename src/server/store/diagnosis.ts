import { type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

export type ServerState = {
  readonly server_version: string
  /** Whether what it acknowledged outlives a crash (reliability.md R2). */
  readonly durable: boolean
  /** The database's own clock. */
  readonly clock: Date
}

/** What the database says about itself, for `remit doctor`. */
export async function readServerState(db: Kysely<Database>): Promise<ServerState> {
  const { rows } = await sql<ServerState>`
    select current_setting('server_version') as server_version,
      current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on'
        and current_setting('synchronous_commit') <> 'off' as durable,
      clock_timestamp() as clock`.execute(db)
  const [state] = rows
  if (!state) throw new Error('The database said nothing about itself.')
  return state
}
