import { type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

/** When this database was restored, if ever: what was signed before may have been used since the backup (primary key). */
export async function readRestoreEpoch(db: Kysely<Database>): Promise<Date | undefined> {
  const row = await db.selectFrom('restore_epoch').select('not_before').where('id', '=', 1).executeTakeFirst()
  return row?.not_before
}

/** Sets the epoch anew; a database that is restored twice keeps the later one, which is the only one that matters. */
export async function writeRestoreEpoch(
  db: Kysely<Database>,
  epoch: { not_before: Date; backup_created_at: Date },
): Promise<void> {
  await db
    .insertInto('restore_epoch')
    .values({ id: 1, ...epoch })
    .onConflict(conflict => conflict.column('id').doUpdateSet(epoch))
    .execute()
}

/**
 * Ends what ran at the backup: steps that were entered and approvals that were consumed since are not known any more, and
 * must not serve twice. A backup of a release without executions has none.
 */
export async function endRestoredExecutions(db: Kysely<Database>, not_before: Date): Promise<void> {
  const { rows } = await sql<{ known: boolean }>`select to_regclass('execution') is not null as known`.execute(db)
  if (rows[0]?.known !== true) return
  await db
    .updateTable('execution')
    .set({ status: 'revoked', ended_at: not_before })
    .where('status', '=', 'open')
    .execute()
}
