import type { Context } from '../context.ts'

/** Takes the one row that ever exists: whoever gets it is the first administrator. @returns false where it is taken */
export async function claimBootstrap(tx: Context, client_id: string, used_at: Date): Promise<boolean> {
  const claimed = await tx.db
    .insertInto('bootstrap')
    .values({ id: 1, client_id, used_at })
    .onConflict(conflict => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  return claimed !== undefined
}

/** Whether the first administrator exists, or once did (primary key). */
export async function isBootstrapped(ctx: Context): Promise<boolean> {
  const row = await ctx.db.selectFrom('bootstrap').select('id').where('id', '=', 1).executeTakeFirst()
  return row !== undefined
}
