import { type Kysely, sql } from 'kysely'
import { takeGently } from './take-gently.ts'

/**
 * The client by whose token a version was registered, and who owned it then: neither that owner nor a later one approves
 * anything of it, also where a person or a job stands in `registered_by`. Null of versions that are older, or that a node of the release before writes; there
 * `registered_by` names the client, unless it names a person or a job.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const tables = ['registration', 'workflow_version']
  await takeGently(db, tables)
  for (const table of tables) {
    await sql`alter table ${sql.table(table)} add column registered_client text, add column registered_client_owner text`.execute(
      db,
    )
  }
}
