import { type Insertable, type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { TokenTable } from './schema-token.ts'
import { atCommit, together } from './together.ts'

const RECORD = 80

/** Records tokens before they leave (index: primary key). */
export const insertToken = atCommit(RECORD, (tokens: readonly Insertable<TokenTable>[]) => {
  return sql`
    insert into token (${sql.join(COLUMNS.map(name => sql.ref(name)))})
      select ${sql.join(COLUMNS.map(name => sql.ref(name)))}
        from json_populate_recordset(null::token, ${JSON.stringify(tokens)}::json)`
})

const COLUMNS = [
  'jti',
  'client_id',
  'sub',
  'resource',
  'scope',
  'token_profile',
  'kid',
  'token_type',
  'jkt',
  'agent_id',
  'registration_id',
  'workflow_id',
  'workflow_version',
  'workflow_step',
  'workflow_state',
  'execution_id',
  'parent_jti',
  'delegation_id',
  'approval_id',
  'step_entry',
  'initiated_by',
  'revoked_at',
  'issued_at',
  'expires_at',
] as const

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

const READ = 1

/** Records of tokens by `jti` (index: primary key). */
export const findToken = together(READ, async (ctx: Context, jtis: readonly string[]) => {
  const rows = await ctx.db
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
    .where(sql<boolean>`jti = any(${[...new Set(jtis)]}::text[])`)
    .orderBy('jti')
    .limit(jtis.length)
    .execute()
  const found = new Map(rows.map(row => [row.jti, row]))
  return jtis.map((jti): TokenRow | undefined => found.get(jti))
})
