import type { Insertable, Selectable } from 'kysely'
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
