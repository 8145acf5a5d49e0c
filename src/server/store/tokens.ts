import { type Insertable, type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { TokenTable } from './schema-token.ts'
import { atCommit, together } from './together.ts'

const RECORD = 80

/** Records tokens before they leave (index: primary key). A column that a record leaves out is null. */
export const insertToken = atCommit(RECORD, (tokens: readonly Insertable<TokenTable>[]) => {
  return sql`
    insert into token (${NAMES})
      select ${NAMES} from json_to_recordset(${JSON.stringify(tokens)}::json) as row(${TYPED})`
})

const text = sql`text`
const int = sql`int`
const timestamptz = sql`timestamptz`

const COLUMNS = [
  ['jti', text],
  ['client_id', text],
  ['sub', text],
  ['resource', text],
  ['scope', text],
  ['token_profile', text],
  ['kid', text],
  ['token_type', text],
  ['jkt', text],
  ['agent_id', text],
  ['registration_id', text],
  ['workflow_id', text],
  ['workflow_version', int],
  ['workflow_step', text],
  ['workflow_state', text],
  ['execution_id', text],
  ['parent_jti', text],
  ['delegation_id', text],
  ['approval_id', text],
  ['step_entry', int],
  ['initiated_by', text],
  ['revoked_at', timestamptz],
  ['issued_at', timestamptz],
  ['expires_at', timestamptz],
] as const
const NAMES = sql.join(COLUMNS.map(([name]) => sql.ref(name)))
const TYPED = sql.join(COLUMNS.map(([name, type]) => sql`${sql.ref(name)} ${type}`))

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
