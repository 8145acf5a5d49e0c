import type { Insertable, Selectable } from 'kysely'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { TokenTable } from './schema-token.ts'

/** Records a token before it leaves (index: primary key). */
export async function insertToken(tx: Context, token: Insertable<TokenTable>): Promise<void> {
  await tx.db.insertInto('token').values(token).execute()
}

export type TokenRow = Pick<
  Selectable<TokenTable>,
  | 'jti'
  | 'client_id'
  | 'resource'
  | 'kid'
  | 'token_type'
  | 'jkt'
  | 'agent_id'
  | 'registration_id'
  | 'initiated_by'
  | 'sub'
  | 'execution_id'
  | 'delegation_id'
  | 'revoked_at'
  | 'issued_at'
  | 'expires_at'
>

/** A token's record by `jti` (index: primary key). */
export async function findToken(ctx: Context, jti: string): Promise<TokenRow | undefined> {
  return await ctx.db
    .selectFrom('token')
    .select([
      'jti',
      'client_id',
      'resource',
      'kid',
      'token_type',
      'jkt',
      'agent_id',
      'registration_id',
      'initiated_by',
      'sub',
      'execution_id',
      'delegation_id',
      'revoked_at',
      'issued_at',
      'expires_at',
    ])
    .where('jti', '=', jti)
    .executeTakeFirst()
}

/**
 * Removes records of tokens that expired so long ago that nothing delegated from them can live, a bounded piece at a
 * time (index token_by_expiry).
 */
export async function purgeTokens(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - 2 * EXECUTION_LIFETIME_MAX * 1000)
  const dead = ctx.db
    .selectFrom('token')
    .select('jti')
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(5000)
  await ctx.db.deleteFrom('token').where('jti', 'in', dead).execute()
}
