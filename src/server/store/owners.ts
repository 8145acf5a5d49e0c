import { sql } from 'kysely'
import type { Context } from '../context.ts'

/** An owner and how many clients answer to it; `operators` are those of them that administer. */
export type OwnerRow = { readonly owner: string; readonly clients: number; readonly operators: number }

/** Owners of clients that are not deleted, by name, those after `after` (index client_by_owner). */
export async function listOwners(ctx: Context, page: { after?: string; limit: number }): Promise<readonly OwnerRow[]> {
  const rows = await ctx.db
    .selectFrom('client')
    .select(eb => [
      'owner',
      eb.fn.countAll<string>().as('clients'),
      eb.fn.countAll<string>().filterWhere('kind', '=', 'operator').as('operators'),
    ])
    .where('status', '<>', 'deleted')
    .$if(page.after !== undefined, query => query.where('owner', '>', page.after ?? ''))
    .groupBy('owner')
    .orderBy('owner')
    .limit(page.limit)
    .execute()
  return rows.map(({ owner, clients, operators }) => ({
    owner,
    clients: Number(clients),
    operators: Number(operators),
  }))
}

/** Gives every client of one owner that is not deleted to another. @returns which (index client_by_owner) */
export async function moveClients(tx: Context, from: string, to: string, now: Date): Promise<readonly string[]> {
  const moved = await tx.db
    .updateTable('client')
    .set({ owner: to, updated_at: now })
    .where('owner', '=', from)
    .where('status', '<>', 'deleted')
    .returning('client_id')
    .execute()
  return moved.map(row => row.client_id).sort()
}

/** Most owners of pipelines that are looked at, by name. */
const MOST_REGISTERING = 256

/** Owners of the active clients that register for this one (`registers_for`); the table of clients is read. */
export async function findRegisteringOwners(tx: Context, client_id: string): Promise<readonly string[]> {
  const rows = await tx.db
    .selectFrom('client')
    .select('owner')
    .distinct()
    .where('status', '=', 'active')
    .where(sql<boolean>`registers_for ? ${client_id}`)
    .orderBy('owner')
    .limit(MOST_REGISTERING)
    .execute()
  return rows.map(row => row.owner)
}

/** Whether one of an owner's clients asks for approvals (index client_by_owner). */
export async function ownsGuardedClient(tx: Context, owner: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('client')
    .select('client_id')
    .where('owner', '=', owner)
    .where('status', '<>', 'deleted')
    .where(sql<boolean>`policies -> 'require_approval' = 'true'::jsonb`)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
