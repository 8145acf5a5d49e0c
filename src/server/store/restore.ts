import { createHash, type Hash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { z } from 'zod'
import {
  BACKED_UP_TABLES,
  type BackedUpTable,
  type BackupHeader,
  END_MARK,
  endSchema,
  HEADER_MARK,
  headerSchema,
  TABLE_MARK,
} from './backup-format.ts'
import type { Connection } from './database.ts'
import { inLongSession } from './long-session.ts'
import { appliedMigrations, migrateToLatest } from './migrate.ts'
import { openForRestore } from './partition-restore.ts'
import { endRestoredExecutions, writeRestoreEpoch } from './restore-epoch.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

const ROWS_AN_INSERT = 500
/** A row can be some megabytes; a statement must stay far below the longest string. */
const CHARACTERS_AN_INSERT = 16_000_000
/** Room for entries that were written after the backup: a sequence number never comes twice (section 9). */
const SEQ_GAP = 1_000_000

export type Restore = {
  readonly lines: AsyncGenerator<string>
  /** Set as the epoch: what was signed before is not taken any more. */
  readonly not_before: Date
  /** Runs on the restored rows before they are committed: whether our key-encryption key opens them, and the audit row. */
  readonly complete: (restored: Kysely<Database>, header: BackupHeader) => Promise<void>
  readonly report: (line: string) => void
}

type Restored = BackupHeader & { rows: number }

/**
 * Restores a backup into a database without anything of ours, whole or not at all, at the schema it was made with;
 * then migrates. Throws StartRefused, having left no row.
 */
export async function restoreBackup(connection: Connection, restore: Restore): Promise<Restored> {
  try {
    return await restoreLines(connection, restore)
  } finally {
    await restore.lines.return(undefined)
  }
}

async function restoreLines(connection: Connection, restore: Restore): Promise<Restored> {
  const { lines } = restore
  const first = await lines.next()
  const header = readControl(HEADER_MARK, first.done ? '' : first.value, headerSchema)
  if (!header) throw new StartRefused('The file is not a backup of Remit: give one that "remit backup" wrote.')
  await inLongSession(connection, 'remit restore', refuseUsed)
  await migrateToLatest(connection, restore.report, header.migration)
  const rows = await inLongSession(connection, 'remit restore', async session => {
    return await session.transaction().execute(async tx => {
      await refuseOtherSchema(tx, header.migration)
      const hash = createHash('sha256').update(`${first.value}\n`, 'utf8')
      const settle = await openForRestore(tx)
      const count = await loadTables(tx, lines, hash)
      await sql`select setval(pg_get_serial_sequence('revocation', 'seq'),
        (select coalesce(max(seq), 0) + ${SEQ_GAP}::bigint from revocation))`.execute(tx)
      const backup_created_at = new Date(header.created_at)
      await writeRestoreEpoch(tx, { not_before: restore.not_before, backup_created_at })
      await endRestoredExecutions(tx, restore.not_before)
      await restore.complete(tx, header)
      await settle(restore.not_before)
      return count
    })
  })
  await migrateToLatest(connection, restore.report)
  return { ...header, rows }
}

/** Rows that a server made since would be mixed with those of the backup. A server's first act is the canary. */
async function refuseUsed(session: Kysely<Database>): Promise<void> {
  if ((await appliedMigrations(session)).length === 0) return
  const canary = await session.selectFrom('sealing_canary').select('id').limit(1).executeTakeFirst()
  if (canary === undefined) return
  throw new StartRefused(
    'The database was used by Remit before: restore into an empty one, and give the servers its DATABASE_URL.',
  )
}

async function refuseOtherSchema(tx: Kysely<Database>, migration: string): Promise<void> {
  const applied = (await appliedMigrations(tx)).at(-1)
  if (applied === migration) return
  throw new StartRefused(
    `The backup is of schema ${migration} and the database of ${applied}: restore into an empty database with the backup's release or a newer one.`,
  )
}

/** Reads table after table up to the end, whose count and hash must agree. @returns rows */
async function loadTables(tx: Kysely<Database>, lines: AsyncIterator<string>, hash: Hash): Promise<number> {
  let table: BackedUpTable | undefined
  let waiting: string[] = []
  let characters = 0
  let count = 0
  const insertWaiting = async () => {
    if (table !== undefined && waiting.length > 0) await insertRows(tx, table, waiting)
    waiting = []
    characters = 0
  }
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const line = next.value
    if (line.startsWith(END_MARK)) {
      await insertWaiting()
      const end = readControl(END_MARK, line, endSchema)
      if (end?.rows === count && end.sha256 === hash.digest('hex')) return count
      throw damaged()
    }
    hash.update(`${line}\n`, 'utf8')
    if (line.startsWith(TABLE_MARK)) {
      await insertWaiting()
      table = BACKED_UP_TABLES.find(known => known === line.slice(TABLE_MARK.length))
      if (table === undefined) throw damaged()
    } else {
      waiting.push(line)
      characters += line.length
      count += 1
      if (waiting.length === ROWS_AN_INSERT || characters >= CHARACTERS_AN_INSERT) await insertWaiting()
    }
  }
  throw damaged()
}

/** The row type of the table itself names the columns, in their order. */
async function insertRows(tx: Kysely<Database>, table: BackedUpTable, rows: readonly string[]): Promise<void> {
  try {
    await sql`insert into ${sql.table(table)} overriding system value
      select * from json_populate_recordset(null::${sql.table(table)}, ${`[${rows.join(',')}]`}::json)`.execute(tx)
  } catch (error) {
    // 22 and 23: what stands in the file is no row of this table.
    if (error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code))) throw damaged()
    throw error
  }
}

function readControl<T>(mark: string, line: string, schema: z.ZodType<T>): T | undefined {
  if (!line.startsWith(mark)) return undefined
  try {
    return schema.safeParse(JSON.parse(line.slice(mark.length))).data
  } catch {
    return undefined
  }
}

function damaged(): StartRefused {
  return new StartRefused('The backup is cut short or was changed: nothing was restored. Take another one.')
}
