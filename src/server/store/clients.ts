import { type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { ClientTable } from './schema.ts'

export type Client = Selectable<ClientTable>

const COLUMNS = [
  'client_id',
  'client_name',
  'owner',
  'kind',
  'token_endpoint_auth_method',
  'jwks',
  'grant_types',
  'access',
  'registers_for',
  'policies',
  'jwks_uri',
  'status',
  'created_at',
  'created_by',
  'updated_at',
] as const

/** One client, revoked ones too (primary key). */
export async function findClient(ctx: Context, client_id: string): Promise<Client | undefined> {
  return await ctx.db.selectFrom('client').select(COLUMNS).where('client_id', '=', client_id).executeTakeFirst()
}

/** Clients in the order of their ids, those after `after` (primary key). */
export async function listClients(ctx: Context, page: { after?: string; limit: number }): Promise<readonly Client[]> {
  return await ctx.db
    .selectFrom('client')
    .select(COLUMNS)
    .$if(page.after !== undefined, query => query.where('client_id', '>', page.after ?? ''))
    .orderBy('client_id')
    .limit(page.limit)
    .execute()
}

/** @returns false where the id was given out before, to a living or a revoked client (protocol.md section 9) */
export async function insertClient(tx: Context, row: Client): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('client')
    .values({
      ...row,
      jwks: row.jwks === null ? null : JSON.stringify(row.jwks),
      grant_types: JSON.stringify(row.grant_types),
      access: JSON.stringify(row.access),
      registers_for: JSON.stringify(row.registers_for),
      policies: JSON.stringify(row.policies),
    })
    .onConflict(conflict => conflict.doNothing())
    .returning('client_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Revoked is final (protocol.md section 9). */
export async function revokeClient(tx: Context, client_id: string): Promise<boolean> {
  const updated = await tx.db
    .updateTable('client')
    .set({ status: 'revoked' })
    .where('client_id', '=', client_id)
    .returning('client_id')
    .executeTakeFirst()
  return updated !== undefined
}

/**
 * At most two clients, revoked ones too, that hold one of these scopes of a resource: enough to know whether there is
 * or was more than one. No index: clients are few, and only approvals ask.
 */
export async function findHoldersOf(
  ctx: Context,
  resource: string,
  scopes: readonly string[],
): Promise<readonly { client_id: string }[]> {
  return await holdersOf(ctx, resource, scopes).execute()
}

/** `findHoldersOf` without those that were revoked; only revocations ask. */
export async function findActiveHoldersOf(
  ctx: Context,
  resource: string,
  scopes: readonly string[],
): Promise<readonly { client_id: string }[]> {
  return await holdersOf(ctx, resource, scopes).where('status', '=', 'active').execute()
}

function holdersOf(ctx: Context, resource: string, scopes: readonly string[]) {
  return ctx.db
    .selectFrom('client')
    .select('client_id')
    .where(
      sql<boolean>`exists (
        select 1 from jsonb_array_elements(access) as entry
        where entry ->> 'resource' = ${resource}
          and string_to_array(entry ->> 'scope', ' ') && ${[...scopes]}::text[]
      )`,
    )
    .orderBy('client_id')
    .limit(2)
}

export async function insertSecret(
  tx: Context,
  secret: { client_id: string; secret_digest: Buffer; created_at: Date; expires_at: Date | null },
): Promise<void> {
  await tx.db.insertInto('client_secret').values(secret).execute()
}

/** Digests of the secrets that are valid now, several while a rotation overlaps (primary key). */
export async function findSecrets(
  ctx: Context,
  client_id: string,
  now: Date,
): Promise<readonly { secret_digest: Buffer }[]> {
  return await ctx.db
    .selectFrom('client_secret')
    .select('secret_digest')
    .where('client_id', '=', client_id)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('created_at', 'desc')
    .limit(8)
    .execute()
}
