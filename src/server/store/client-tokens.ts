import { sql } from 'kysely'
import type { Context } from '../context.ts'

/**
 * Writes an entry for each live client-level token that these clients have for these resources, unless one stands, and
 * none for their agents' (index token_by_client). Only under the exclusive gate. @returns how many
 */
export async function revokeTokensOfClients(
  tx: Context,
  { client_ids, resources }: { client_ids: readonly string[]; resources: readonly string[] },
  act: { reason: string; revoked_by: string; now: Date; ends_at: Date },
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with written as (
      insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
      select 'token', jti, ${act.reason}, ${act.revoked_by}, ${act.now}::timestamptz, ${act.ends_at}::timestamptz
        from token
        where client_id = any(${[...client_ids]}::text[]) and agent_id is null and expires_at > ${act.now}
          and resource = any(${[...resources]}::text[])
          and not exists (
            select 1 from revocation
              where kind = 'token' and id = token.jti and lifted_at is null and ends_at > ${act.now}
          )
      returning 1
    )
    select count(*)::int as count from written`.execute(tx.db)
  return rows[0]?.count ?? 0
}
