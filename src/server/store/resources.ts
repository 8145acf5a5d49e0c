import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { ResourceTable } from './schema.ts'

export type Resource = Selectable<ResourceTable>

const COLUMNS = [
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
  return await ctx.db.selectFrom('resource').select(COLUMNS).where('resource', '=', resource).executeTakeFirst()
}

/** Several resources at once, at most the 64 of an access list (primary key). */
export async function findResources(ctx: Context, resources: readonly string[]): Promise<readonly Resource[]> {
  if (resources.length === 0) return []
  return await ctx.db
    .selectFrom('resource')
    .select(COLUMNS)
    .where('resource', 'in', resources)
    .orderBy('resource')
    .limit(64)
    .execute()
}

/** Resources in the order of their identifiers, those after `after` (primary key). */
export async function listResources(
  ctx: Context,
  page: { after?: string; limit: number },
): Promise<readonly Resource[]> {
  return await ctx.db
    .selectFrom('resource')
    .select(COLUMNS)
    .$if(page.after !== undefined, query => query.where('resource', '>', page.after ?? ''))
    .orderBy('resource')
    .limit(page.limit)
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
