import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'
import type { SealingCanaryTable } from './schema-operation.ts'

/** The one row that shows at start whether we hold the right key-encryption key. By primary key. */
export async function readCanary(db: Kysely<Database>): Promise<SealingCanaryTable | undefined> {
  return await db.selectFrom('sealing_canary').select(['id', 'kek_id', 'sealed']).where('id', '=', 1).executeTakeFirst()
}

/** Of servers that start together the first one's row stays. */
export async function insertCanary(db: Kysely<Database>, canary: { kek_id: string; sealed: Buffer }): Promise<void> {
  await db
    .insertInto('sealing_canary')
    .values({ id: 1, ...canary })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

/** The canary is written before anything else is sealed, so it speaks for all sealed rows. */
export async function sealedRowsExist(db: Kysely<Database>): Promise<boolean> {
  return (await readCanary(db)) !== undefined
}
