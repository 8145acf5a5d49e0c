import type { Context } from '../../src/server/context.ts'
import { closeDatabase } from '../../src/server/store/database.ts'

/** Takes the database away from a context, the connections of the token endpoints too. */
export async function loseStorage({ db, passDb }: Context): Promise<void> {
  await Promise.all([db, passDb].map(closeDatabase))
}
