import type { Context } from '../context.ts'

/** Writes down, once and for good, that there is more than one administrator. */
export async function recordSecondAdministrator(tx: Context, since: Date): Promise<void> {
  await tx.db
    .insertInto('second_administrator')
    .values({ id: 1, since })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

/** Whether there ever was more than one administrator (primary key). */
export async function hadSecondAdministrator(ctx: Context): Promise<boolean> {
  const row = await ctx.db.selectFrom('second_administrator').select('id').where('id', '=', 1).executeTakeFirst()
  return row !== undefined
}
