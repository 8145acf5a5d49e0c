import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { ClientSecretTable } from './schema.ts'

export type ClientSecret = Selectable<ClientSecretTable>

/** Secrets of one client that are valid at once, at most: one, and those that a rotation lets overlap. */
export const SECRETS_MAX = 8

export async function insertSecret(tx: Context, secret: ClientSecret): Promise<void> {
  await tx.db.insertInto('client_secret').values(secret).execute()
}

/** The secrets of a client that are valid now, the newest first (primary key). */
export async function findSecrets(ctx: Context, client_id: string, now: Date): Promise<readonly ClientSecret[]> {
  return await findSecretsOf(ctx, [client_id], now)
}

/** `findSecrets` for the clients of one page of a list. */
export async function findSecretsOf(
  ctx: Context,
  client_ids: readonly string[],
  now: Date,
): Promise<readonly ClientSecret[]> {
  if (client_ids.length === 0) return []
  return await ctx.db
    .selectFrom('client_secret')
    .select(['client_id', 'secret_digest', 'created_at', 'expires_at'])
    .where('client_id', 'in', client_ids)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('client_id')
    .orderBy('created_at', 'desc')
    .orderBy('secret_digest')
    .limit(client_ids.length * SECRETS_MAX)
    .execute()
}

/** Ends every secret of a client at `ends_at` that does not end before, and forgets those that have ended. */
export async function expireSecrets(tx: Context, client_id: string, ends_at: Date): Promise<void> {
  await tx.db
    .updateTable('client_secret')
    .set({ expires_at: ends_at })
    .where('client_id', '=', client_id)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', ends_at)]))
    .execute()
  await tx.db
    .deleteFrom('client_secret')
    .where('client_id', '=', client_id)
    .where('expires_at', '<=', tx.now())
    .execute()
}

export async function deleteSecrets(tx: Context, client_id: string): Promise<void> {
  await tx.db.deleteFrom('client_secret').where('client_id', '=', client_id).execute()
}
