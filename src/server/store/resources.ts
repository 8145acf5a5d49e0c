import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { ResourceTable } from './schema.ts'

export type Resource = Selectable<ResourceTable>

export const RESOURCE_COLUMNS = [
  'resource',
  'scopes',
  'token_profile',
  'signing_alg',
  'max_token_lifetime',
  'allow_bearer',
  'client_id',
  'chain_disclosure',
  'workflow_names',
  'status',
  'created_at',
  'created_by',
  'updated_at',
] as const

/** One resource by its exact identifier, revoked ones too (primary key). */
export async function findResource(ctx: Context, resource: string): Promise<Resource | undefined> {
  return await ctx.db
    .selectFrom('resource')
    .select(RESOURCE_COLUMNS)
    .where('resource', '=', resource)
    .executeTakeFirst()
}

/** The first active API that a client introspects for. No index: resources are few, and only signed answers ask. */
export async function findResourceOfClient(ctx: Context, client_id: string): Promise<Resource | undefined> {
  return await ctx.db
    .selectFrom('resource')
    .select(RESOURCE_COLUMNS)
    .where('client_id', '=', client_id)
    .where('status', '=', 'active')
    .orderBy('resource')
    .limit(1)
    .executeTakeFirst()
}

/**
 * The active APIs whose own client this is, at most 64, or the one that is named. No index: resources are few, and
 * reports come every few seconds.
 */
export async function listResourcesOfClient(
  ctx: Context,
  client_id: string,
  resource?: string,
): Promise<readonly string[]> {
  let query = ctx.db
    .selectFrom('resource')
    .select('resource')
    .where('client_id', '=', client_id)
    .where('status', '=', 'active')
  if (resource !== undefined) query = query.where('resource', '=', resource)
  const rows = await query.orderBy('resource').limit(64).execute()
  return rows.map(({ resource }) => resource)
}

/** Several resources at once, at most the 64 of an access list (primary key). */
export async function findResources(ctx: Context, resources: readonly string[]): Promise<readonly Resource[]> {
  if (resources.length === 0) return []
  return await ctx.db
    .selectFrom('resource')
    .select(RESOURCE_COLUMNS)
    .where('resource', 'in', resources)
    .orderBy('resource')
    .limit(64)
    .execute()
}

/** One resource, held until the transaction ends (primary key). */
export async function lockResource(tx: Context, resource: string): Promise<Resource | undefined> {
  return await tx.db
    .selectFrom('resource')
    .select(RESOURCE_COLUMNS)
    .where('resource', '=', resource)
    .forUpdate()
    .executeTakeFirst()
}

/** Resources in the order of their identifiers, those after `after`; deleted ones only where asked for (primary key). */
export async function listResources(
  ctx: Context,
  page: { after?: string; limit: number; status?: Resource['status'] | undefined },
): Promise<readonly Resource[]> {
  const { after, status } = page
  let query = ctx.db.selectFrom('resource').select(RESOURCE_COLUMNS)
  query = status === undefined ? query.where('status', '<>', 'deleted') : query.where('status', '=', status)
  if (after !== undefined) query = query.where('resource', '>', after)
  return await query.orderBy('resource').limit(page.limit).execute()
}

/** Writes what may change of a resource; the row is locked before. */
export async function updateResource(tx: Context, row: Resource): Promise<void> {
  const { resource, scopes, created_at: _at, created_by: _by, ...changing } = row
  await tx.db
    .updateTable('resource')
    .set({ ...changing, scopes: JSON.stringify(scopes) })
    .where('resource', '=', resource)
    .execute()
}

/** @returns false where the identifier was given out before (protocol.md section 9) */
export async function insertResource(tx: Context, row: Resource): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('resource')
    .values({ ...row, scopes: JSON.stringify(row.scopes) })
    .onConflict(conflict => conflict.doNothing())
    .returning('resource')
    .executeTakeFirst()
  return inserted !== undefined
}
