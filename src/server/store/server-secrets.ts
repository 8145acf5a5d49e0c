import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'
import type { ServerSecretTable } from './schema-operation.ts'

/** A sealed secret that all nodes share. By primary key. */
export async function readServerSecret(db: Kysely<Database>, name: string): Promise<ServerSecretTable | undefined> {
  return await db
    .selectFrom('server_secret')
    .select(['name', 'sealed', 'created_at'])
    .where('name', '=', name)
    .executeTakeFirst()
}

/** Of nodes that start together the first one's secret stays. */
export async function insertServerSecret(db: Kysely<Database>, secret: ServerSecretTable): Promise<void> {
  await db
    .insertInto('server_secret')
    .values(secret)
    .onConflict(conflict => conflict.doNothing())
    .execute()
}
