import type { Context } from '../../src/server/context.ts'
import { closeDatabase } from '../../src/server/store/database.ts'

/** Takes the database away from a context: every connection that it has. */
export async function loseStorage({ db, passDb, pools }: Context): Promise<void> {
  await Promise.all([db, passDb, ...Object.values(pools)].map(closeDatabase))
}
