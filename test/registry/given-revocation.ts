import { randomUUID } from 'node:crypto'
import { revocationAnswerSchema, revocationSchema } from '../../src/protocol/revocation.ts'
import type { Caller } from '../../src/server/caller.ts'
import type { Context } from '../../src/server/context.ts'
import { act } from '../../src/server/registry/act.ts'
import { createRevocation } from '../../src/server/registry/revocations.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import type { RevocationKind } from '../../src/server/store/schema.ts'
import { insertToken } from '../../src/server/store/tokens.ts'
import { caller } from './given.ts'

/** Of every kind none. */
export const NONE = { token: 0, registration: 0, agent: 0, client: 0, execution: 0, workflow: 0, initiator: 0, key: 0 }

/** One revocation as its route runs it. */
export async function revoke(ctx: Context, kind: string, id: string, by: Caller = caller()) {
  const body = revocationSchema.parse({ kind, id, reason: 'test' })
  const asked = { endpoint: 'POST /r', body, answer: revocationAnswerSchema, before: enterGateExclusive }
  const event = { action: 'revocation.create', details: {} } as const
  return (await act(ctx, by, event, asked, tx => createRevocation(tx, by, body))).body
}

/** Entries of a kind in the order of their writing, with the seconds that they stand. */
export async function entries(ctx: Context, kind: RevocationKind) {
  const rows = await ctx.db
    .selectFrom('revocation')
    .select(['id', 'revoked_at', 'ends_at'])
    .where('kind', '=', kind)
    .orderBy('seq')
    .execute()
  return rows.map(row => ({ id: row.id, seconds: (row.ends_at.getTime() - row.revoked_at.getTime()) / 1000 }))
}

type TokenMembers = Partial<Parameters<typeof insertToken>[1]>

/** A token row as a mint leaves it, good for 300 seconds; of an agent where `agent_id` is given. @returns its jti */
export async function givenToken(ctx: Context, client_id: string, members: TokenMembers = {}): Promise<string> {
  const jti = randomUUID()
  const { agent_id = null } = members
  const sub = agent_id === null ? client_id : `agent:${client_id}:${agent_id}`
  await insertToken(ctx, {
    jti,
    client_id,
    sub,
    resource: 'https://crm.example/api',
    scope: 'read',
    token_profile: 'interop',
    kid: 'k',
    token_type: 'Bearer',
    jkt: null,
    agent_id,
    registration_id: null,
    workflow_id: null,
    workflow_version: null,
    workflow_step: null,
    workflow_state: 'none',
    execution_id: null,
    parent_jti: null,
    initiated_by: agent_id === null ? null : sub,
    issued_at: ctx.now(),
    expires_at: new Date(ctx.now().getTime() + 300_000),
    ...members,
  })
  return jti
}
