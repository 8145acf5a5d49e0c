import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { startTestApp } from '../support/app.ts'
import { agentBody, givenClient, givenResources, register } from './given.ts'
import { givenToken, revoke } from './given-revocation.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)

const TOKENS = 10_000
/** Where a comparison of each with each would take minutes, and the statement ends after two seconds. */
const STANDING = [1_200, 3_000, 25_000] as const

/** So many tokens like this one, and as many entries as there shall stand, none of which matches them. */
async function given(client_id: string, standing: number): Promise<void> {
  const jti = await givenToken(ctx, client_id, { agent_id: 'planner', jkt: `key-of-${client_id}` })
  await sql`insert into token select (jsonb_populate_record(token, jsonb_build_object('jti', token.jti || n))).*
    from token, generate_series(1, ${TOKENS - 1}::int) as n where token.jti = ${jti}`.execute(ctx.db)
  await sql`insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
    select 'token', ${client_id} || n, 'test', 'test', ${ctx.now()}, ${new Date(ctx.now().getTime() + 960_000)}
      from generate_series(1, ${standing}::int) as n`.execute(ctx.db)
}

for (const standing of STANDING) {
  test(`a client of ${TOKENS} live tokens is revoked while ${standing} entries stand (section 9)`, async () => {
    const client_id = `busy-${standing}`
    const app = await givenClient(ctx, client_id)
    await register(ctx, app, agentBody(client_id))
    await given(client_id, standing)
    const first = await revoke(ctx, 'agent', `${client_id}/planner`)
    assert.equal(first.live_tokens, TOKENS)
    const again = await revoke(ctx, 'client', client_id)
    if (standing < 20_000) assert.equal(again.live_tokens, 0)
    const entry = ctx.db.selectFrom('revocation').select('id').where('kind', '=', 'client').where('id', '=', client_id)
    assert.deepEqual(await entry.execute(), [{ id: client_id }])
  })
}
