import { type Kysely, sql } from 'kysely'
import { openDatabase } from '../../src/server/store/database.ts'
import type { Database } from '../../src/server/store/schema.ts'
import type { World } from './given.ts'

/** A promise of which one can ask whether it has ended. */
export type Watched<T> = { readonly done: () => boolean; readonly promise: Promise<T> }

export function watch<T>(promise: Promise<T>): Watched<T> {
  let finished = false
  const watched = promise.finally(() => {
    finished = true
  })
  return { done: () => finished, promise: watched }
}

type Held = 'token' | 'revocation'

/** Waits until a session of this database waits for a lock of the kind. @returns false where the other ended first */
export async function waitsFor({ ctx }: World, kind: 'gate' | Held, other: Watched<unknown>): Promise<boolean> {
  while (!other.done()) {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from pg_locks
      where not granted and database = (select oid from pg_database where datname = current_database())
        and (${kind} = 'gate' and locktype = 'advisory' or locktype = 'relation' and relation = to_regclass(${kind}))`.execute(
      ctx.db,
    )
    if ((rows[0]?.n ?? 0) > 0) return true
  }
  return false
}

/** Holds a table so that it can be read but not written, while `fn` runs. */
export async function withTableHeld({ app }: World, table: Held, fn: () => Promise<void>): Promise<void> {
  const db: Kysely<Database> = openDatabase(app.database.connection)
  try {
    await db.transaction().execute(async tx => {
      await sql`lock table ${sql.table(table)} in share mode`.execute(tx)
      await fn()
    })
  } finally {
    await db.destroy()
  }
}
