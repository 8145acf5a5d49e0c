import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import {
  BACKED_UP_TABLES,
  type BackedUpTable,
  type BackupHeader,
  END_MARK,
  HEADER_MARK,
  TABLE_MARK,
} from './backup-format.ts'
import type { Connection } from './database.ts'
import { inLongSession } from './long-session.ts'
import { appliedMigrations } from './migrate.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

/**
 * The lines of a backup, all from one snapshot, beside a server that goes on working (reliability.md R18). Sealed values
 * stay sealed: the key-encryption key is not in it. Throws StartRefused where there is nothing of ours.
 */
export async function writeBackup(
  connection: Connection,
  { issuer, created_at }: { issuer: string; created_at: Date },
  write: (lines: string) => Promise<void>,
): Promise<{ rows: number }> {
  return await inLongSession(connection, 'remit backup', async session => {
    const migration = (await appliedMigrations(session)).at(-1)
    if (migration === undefined)
      throw new StartRefused('The database holds nothing of Remit: there is nothing to back up.')
    const header: BackupHeader = { format: 1, created_at: created_at.toISOString(), issuer, migration }
    const hash = createHash('sha256')
    const put = async (lines: string) => {
      hash.update(lines, 'utf8')
      await write(lines)
    }
    return await session
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async snapshot => {
        await put(`${HEADER_MARK}${JSON.stringify(header)}\n`)
        let rows = 0
        for (const table of BACKED_UP_TABLES) rows += await writeTable(snapshot, table, put)
        await write(`${END_MARK}${JSON.stringify({ rows, sha256: hash.digest('hex') })}\n`)
        return { rows }
      })
  })
}

/** Every row of one table, through a cursor so that memory stays bounded. */
async function writeTable(
  snapshot: Kysely<Database>,
  table: BackedUpTable,
  put: (lines: string) => Promise<void>,
): Promise<number> {
  await put(`${TABLE_MARK}${table}\n`)
  await sql`declare rows_of_table no scroll cursor for
    select row_to_json(whole_row)::text as line from ${sql.table(table)} as whole_row`.execute(snapshot)
  let count = 0
  for (;;) {
    const { rows } = await sql<{ line: string }>`fetch 1000 from rows_of_table`.execute(snapshot)
    if (rows.length === 0) break
    count += rows.length
    await put(`${rows.map(row => row.line).join('\n')}\n`)
  }
  await sql`close rows_of_table`.execute(snapshot)
  return count
}
