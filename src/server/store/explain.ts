import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { RevocationRef } from './revocations.ts'
import type { RevocationTable } from './schema.ts'
import type { TokenTable } from './schema-token.ts'

const TOKEN_COLUMNS = [
  'jti',
  'client_id',
  'sub',
  'resource',
  'scope',
  'kid',
  'token_type',
  'jkt',
  'agent_id',
  'registration_id',
  'workflow_id',
  'workflow_version',
  'workflow_step',
  'execution_id',
  'parent_jti',
  'delegation_id',
  'approval_id',
  'revoked_at',
  'initiated_by',
  'issued_at',
  'expires_at',
] as const

/** A token's record with how it came to be. */
export type TokenStory = Pick<Selectable<TokenTable>, (typeof TOKEN_COLUMNS)[number]>

/** The record of a token by `jti` (primary key). */
export async function findTokenStory(ctx: Context, jti: string): Promise<TokenStory | undefined> {
  return await ctx.db.selectFrom('token').select(TOKEN_COLUMNS).where('jti', '=', jti).executeTakeFirst()
}

export type StandingEntry = Pick<
  Selectable<RevocationTable>,
  'kind' | 'id' | 'reason' | 'revoked_by' | 'revoked_at' | 'ends_at'
>

/** The entries that match one of these and were not taken back, ended ones too, newest first (index revocation_standing). */
export async function listEntries(ctx: Context, refs: readonly RevocationRef[]): Promise<readonly StandingEntry[]> {
  if (refs.length === 0) return []
  return await ctx.db
    .selectFrom('revocation')
    .select(['kind', 'id', 'reason', 'revoked_by', 'revoked_at', 'ends_at'])
    .where(eb => eb.or(refs.map(ref => eb.and([eb('kind', '=', ref.kind), eb('id', '=', ref.id)]))))
    .where('lifted_at', 'is', null)
    .orderBy('seq', 'desc')
    .limit(8)
    .execute()
}
