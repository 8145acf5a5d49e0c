import { type Selectable, sql } from 'kysely'
import { policiesSchema } from '../../protocol/client.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../protocol/grant-types.ts'
import type { Context } from '../context.ts'
import type { ClientJwk, ClientTable } from './schema.ts'

export type Client = Selectable<ClientTable>

export const CLIENT_COLUMNS = [
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

const DEFAULT_POLICIES = policiesSchema.parse({})

/** A node of the release before writes rows without the policies that it does not know. */
export function withPolicies(row: Client): Client {
  return { ...row, policies: { ...DEFAULT_POLICIES, ...row.policies } }
}

/** One client, revoked ones too (primary key). */
export async function findClient(ctx: Context, client_id: string): Promise<Client | undefined> {
  const query = ctx.db.selectFrom('client').select(CLIENT_COLUMNS).where('client_id', '=', client_id)
  const row = await query.executeTakeFirst()
  return row && withPolicies(row)
}

/** One client, held until the transaction ends: changes of one client come one after the other (primary key). */
export async function lockClient(tx: Context, client_id: string): Promise<Client | undefined> {
  const query = tx.db.selectFrom('client').select(CLIENT_COLUMNS).where('client_id', '=', client_id).forUpdate()
  const row = await query.executeTakeFirst()
  return row && withPolicies(row)
}

export type ClientFilter = {
  readonly owner?: string | undefined
  readonly kind?: Client['kind'] | undefined
  /** Absent: every status but `deleted`. */
  readonly status?: Client['status'] | undefined
}

/** Clients in the order of their ids, those after `after` (primary key; with an owner client_by_owner). */
export async function listClients(
  ctx: Context,
  page: ClientFilter & { readonly after?: string; readonly limit: number },
): Promise<readonly Client[]> {
  const { owner, kind, status, after } = page
  let query = ctx.db.selectFrom('client').select(CLIENT_COLUMNS)
  query = status === undefined ? query.where('status', '<>', 'deleted') : query.where('status', '=', status)
  if (owner !== undefined) query = query.where('owner', '=', owner)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (after !== undefined) query = query.where('client_id', '>', after)
  const rows = await query.orderBy('client_id').limit(page.limit).execute()
  return rows.map(withPolicies)
}

/** Which of these clients are active, at most the 64 of a `registers_for` (primary key). */
export async function findActiveClients(
  ctx: Context,
  client_ids: readonly string[],
): Promise<readonly { client_id: string }[]> {
  if (client_ids.length === 0) return []
  return await ctx.db
    .selectFrom('client')
    .select('client_id')
    .where('client_id', 'in', client_ids)
    .where('status', '=', 'active')
    .orderBy('client_id')
    .limit(64)
    .execute()
}

/** Writes what may change of a client; the row is locked before. */
export async function updateClient(tx: Context, row: Client): Promise<void> {
  const { client_id, client_name, owner, jwks, jwks_uri, grant_types, access, registers_for, policies } = row
  await tx.db
    .updateTable('client')
    .set({
      client_name,
      owner,
      jwks: jwks === null ? null : JSON.stringify(jwks),
      jwks_uri,
      grant_types: JSON.stringify(grant_types),
      access: JSON.stringify(access),
      registers_for: JSON.stringify(registers_for),
      policies: JSON.stringify(policies),
      status: row.status,
      updated_at: row.updated_at,
    })
    .where('client_id', '=', client_id)
    .execute()
}

/**
 * How many clients that are not deleted hold one of these scopes of a resource; with `scopes` left out, any. No index:
 * clients are few, and only the change of a resource asks.
 */
export async function countHolders(ctx: Context, resource: string, scopes?: readonly string[]): Promise<number> {
  const { n } = await ctx.db
    .selectFrom('client')
    .select(eb => eb.fn.countAll<string>().as('n'))
    .where('status', '<>', 'deleted')
    .where(
      sql<boolean>`exists (
        select 1 from jsonb_array_elements(access) as entry
        where entry ->> 'resource' = ${resource}
          and (${scopes === undefined} or string_to_array(entry ->> 'scope', ' ') && ${[...(scopes ?? [])]}::text[])
      )`,
    )
    .executeTakeFirstOrThrow()
  return Number(n)
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

/** Replaces the stored keys of a client: one of them was revoked. */
export async function replaceClientKeys(
  tx: Context,
  client_id: string,
  keys: readonly ClientJwk[],
  now: Date,
): Promise<void> {
  await tx.db
    .updateTable('client')
    .set({ jwks: JSON.stringify({ keys }), updated_at: now })
    .where('client_id', '=', client_id)
    .execute()
}

/** Revoked is final, and deleted is more (protocol.md section 9). @returns false for one that is not there any more */
export async function revokeClient(tx: Context, client_id: string): Promise<boolean> {
  const updated = await tx.db
    .updateTable('client')
    .set({ status: 'revoked' })
    .where('client_id', '=', client_id)
    .where('status', '<>', 'deleted')
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

/** `findHoldersOf` without those that were revoked, and those that cannot ask for such a token; only revocations ask. */
export async function findActiveHoldersOf(
  ctx: Context,
  resource: string,
  scopes: readonly string[],
): Promise<readonly { client_id: string }[]> {
  return await holdersOf(ctx, resource, scopes)
    .where('status', '=', 'active')
    .where(sql<boolean>`grant_types @> ${JSON.stringify([CLIENT_CREDENTIALS_GRANT])}::jsonb`)
    .execute()
}

/** Every active client that holds one of these scopes of a resource; only the recovery of the administration asks. */
export async function activeHolders(
  ctx: Context,
  resource: string,
  scopes: readonly string[],
): Promise<readonly { client_id: string }[]> {
  return await holdersOf(ctx, resource, scopes).where('status', '=', 'active').limit(10_000).execute()
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
