import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { sql } from 'kysely'
import { getRevocations } from '../../src/server/registry/revocations.ts'
import { findClient } from '../../src/server/store/clients.ts'
import { startTestApp } from '../support/app.ts'
import { givenDelegated } from '../support/delegated.ts'
import { generateKey } from '../support/dpop.ts'
import {
  APPROVER,
  agentBody,
  approve,
  caller,
  givenClient,
  givenResources,
  refused,
  register,
  registerFlow,
} from './given.ts'
import { entries, givenToken, NONE, revoke as revokeIn } from './given-revocation.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
const revoke = (kind: string, id: string) => revokeIn(ctx, kind, id)
const DAY = 86_400

async function dead(jtis: readonly string[]): Promise<boolean[]> {
  const found = new Set((await entries(ctx, 'token')).map(entry => entry.id))
  return jtis.map(jti => found.has(jti))
}

async function audited(id: string) {
  const row = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'client_id', 'agent_id', 'details'])
    .where('action', '=', 'revocation.create')
    .where(sql<boolean>`details ->> 'id' = ${id}`)
    .executeTakeFirst()
  return row
}

test('an initiator needs no record: any subject name is taken, its entry ends after 960 seconds and says so (section 9)', async () => {
  const id = 'agent:some:a'
  const started = await givenToken(ctx, 'some', { agent_id: 'a' })
  const handed = await givenDelegated(ctx, started, { agent_id: 'b', initiated_by: 'agent:some:b' })
  const other = await givenToken(ctx, 'some', { agent_id: 'b', initiated_by: 'user:corp:43' })
  const revoked_at = ctx.now().toISOString()
  assert.deepEqual(await revoke('initiator', id), {
    kind: 'initiator',
    id,
    revoked: { ...NONE, initiator: 1, token: 1 },
    delegations: 1,
    live_tokens: 1,
    live_tokens_at_least: false,
    revoked_at,
    ends_at: new Date(ctx.now().getTime() + 960_000).toISOString(),
    final: false,
    note: 'This ends by itself: when the entry has ended, the initiator may start again; what it had begun stays ended.',
  })
  assert.deepEqual(await entries(ctx, 'initiator'), [{ id, seconds: 960 }])
  assert.deepEqual(await dead([started, handed, other]), [false, true, false])
  const details = { caller: 'admin', acting_owner: 'user:local:root', kind: 'initiator', id, reason: 'test' }
  assert.deepEqual(await audited(id), {
    action: 'revocation.create',
    outcome: 'success',
    client_id: 'some',
    agent_id: 'a',
    details: { ...details, revoked: { ...NONE, initiator: 1, token: 1 }, delegations: 1, live_tokens: 1 },
  })
})

test('a bare client name matches its tokens without intent, and no agent’s that it did not begin (section 9)', async () => {
  await givenToken(ctx, 'plain')
  await givenToken(ctx, 'plain', { agent_id: 'a' })
  assert.equal((await revoke('initiator', 'plain')).live_tokens, 1)
  for (const id of ['', 'user:corp', 'agent:x', 'a b', 'robot:x:y']) {
    assert.equal((await refused(Promise.resolve().then(() => revoke('initiator', id || ' ')))).reason, 'malformed_id')
  }
})

test('a workflow is sent as the entries of its live tokens and of what they delegated; it mints no more (section 9)', async () => {
  const app = await givenClient(ctx, 'flow')
  await register(ctx, app, agentBody('flow'))
  await registerFlow(ctx, app, [{ step_id: 'send', agent_id: 'planner' }])
  const ofFlow = { agent_id: 'planner', workflow_id: 'w' }
  const [live, expired, other] = [
    await givenToken(ctx, 'flow', ofFlow),
    await givenToken(ctx, 'flow', { ...ofFlow, expires_at: new Date(ctx.now().getTime() - 1000) }),
    await givenToken(ctx, 'flow', { ...ofFlow, workflow_id: 'other' }),
  ]
  const child = await givenDelegated(ctx, live)
  const ofExpired = await givenDelegated(ctx, expired)
  const { revoked, live_tokens, final } = await revoke('workflow', 'flow/w')
  assert.deepEqual([revoked, live_tokens, final], [{ ...NONE, workflow: 1, token: 3 }, 1, true])
  assert.deepEqual(await dead([live, child, ofExpired, expired, other]), [true, true, true, false, false])
  const row = await ctx.db.selectFrom('workflow').select('status').where('client_id', '=', 'flow').executeTakeFirst()
  assert.deepEqual(row, { status: 'revoked' })
})

test('a descendant without a version is covered by the revocation of a version (section 9)', async () => {
  const app = await givenClient(ctx, 'versioned')
  const { registration_id } = await register(ctx, app, agentBody('versioned'))
  const parent = await givenToken(ctx, 'versioned', { agent_id: 'planner', registration_id })
  const child = await givenDelegated(ctx, parent)
  const { revoked, live_tokens } = await revoke('registration', registration_id)
  assert.deepEqual([revoked, live_tokens], [{ ...NONE, registration: 1, token: 1 }, 1])
  assert.deepEqual(await dead([parent, child]), [false, true])
})

test('an agent’s key goes for good with all that it endorsed (section 4)', async () => {
  const app = await givenClient(ctx, 'keyed')
  const [key, second] = [await generateKey(), await generateKey()]
  await register(ctx, app, { ...agentBody('keyed'), jwks: { keys: [{ ...key.jwk }, { ...second.jwk }] } })
  const jwk = JSON.stringify(key.jwk)
  const endorsed = { client_id: 'keyed', agent_id: 'planner', jwk, source: 'endorsed' as const, added_at: ctx.now() }
  const at = (seconds: number) => new Date(ctx.now().getTime() + seconds * 1000)
  const rows = [
    { jkt: 'endorsed-live', expires_at: at(60), endorsed_by: key.jkt },
    { jkt: 'endorsed-lately', expires_at: at(-DAY), endorsed_by: key.jkt },
    { jkt: 'endorsed-long-ago', expires_at: at(-2 * DAY), endorsed_by: key.jkt },
    { jkt: 'endorsed-by-other', expires_at: at(60), endorsed_by: second.jkt },
  ]
  await ctx.db
    .insertInto('agent_key')
    .values(rows.map(row => ({ ...endorsed, ...row, removed_at: null })))
    .execute()
  await ctx.db
    .insertInto('agent_key_endorsement')
    .values(rows.map(({ jkt, endorsed_by }) => ({ jkt, endorsed_by })))
    .execute()
  await givenToken(ctx, 'keyed', { agent_id: 'planner', jkt: key.jkt })
  await givenToken(ctx, 'keyed', { agent_id: 'planner', jkt: 'endorsed-live' })
  await givenToken(ctx, 'keyed', { agent_id: 'planner', jkt: second.jkt })
  const { revoked, live_tokens, final, note } = await revoke('key', key.jkt)
  assert.deepEqual([revoked, live_tokens, final, note], [{ ...NONE, key: 3 }, 2, true, undefined])
  const written = (await entries(ctx, 'key')).slice(-3)
  assert.deepEqual(
    written.map(entry => entry.id),
    [key.jkt, 'endorsed-lately', 'endorsed-live'],
  )
  const removed = await ctx.db
    .selectFrom('agent_key')
    .select('jkt')
    .where('client_id', '=', 'keyed')
    .where('removed_at', 'is not', null)
    .execute()
  assert.deepEqual(new Set(removed.map(row => row.jkt)), new Set(written.map(entry => entry.id)))
  const again = await register(ctx, app, { ...agentBody('keyed', { prompt: 'Next.' }), public_key: { ...key.jwk } })
  assert.equal((await refused(approve(ctx, APPROVER, 'keyed', again))).reason, 'agent_key_taken')
})

test('a client’s key is taken out of its stored keys; the last one is not (section 9)', async () => {
  const [first, second] = [await generateKey(), await generateKey()]
  const over = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [first.jwk, second.jwk] } }
  await givenClient(ctx, 'signing', over)
  const { revoked, final, note } = await revoke('key', first.jkt)
  const taken = 'The key was taken out of the stored keys of its client.'
  assert.deepEqual([revoked, final, note], [{ ...NONE, key: 1 }, false, taken])
  const { x, y } = second.jwk
  assert.deepEqual((await findClient(ctx, 'signing'))?.jwks, { keys: [{ kty: 'EC', crv: 'P-256', x, y }] })
  const last = { code: 'conflict', reason: 'last_client_key' }
  assert.deepEqual(await refused(revoke('key', second.jkt)), last)
  assert.equal((await findClient(ctx, 'signing'))?.jwks?.keys.length, 1)
  const count = (await entries(ctx, 'key')).filter(entry => entry.id === second.jkt).length
  assert.equal(count, 0)
})

test('an agent’s key goes also where it is the only key of a client: the note says what is left to do (section 9)', async () => {
  const shared = await generateKey()
  const only = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [shared.jwk] } }
  await givenClient(ctx, 'shares', only)
  const app = await givenClient(ctx, 'stolen')
  await register(ctx, app, { ...agentBody('stolen'), public_key: { ...shared.jwk } })
  await givenToken(ctx, 'stolen', { agent_id: 'planner', jkt: shared.jkt })
  const { revoked, live_tokens, final, note } = await revoke('key', shared.jkt)
  assert.deepEqual([revoked, live_tokens, final], [{ ...NONE, key: 1 }, 1, true])
  assert.match(note ?? '', /still the only key by which a client signs in: revoke that client, or give it new keys/)
  assert.deepEqual((await audited(shared.jkt))?.details.only_key_of, ['shares'])
  assert.equal((await findClient(ctx, 'shares'))?.jwks?.keys.length, 1)
  assert.equal((await entries(ctx, 'key')).filter(entry => entry.id === shared.jkt).length, 1)
})

test('a revoked key does not come into the keys of a client while its entry stands (section 9)', async () => {
  const [bad, good] = [await generateKey(), await generateKey()]
  await revoke('key', bad.jkt)
  const over = (keys: readonly object[]) => ({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })
  const again = { code: 'invalid_request', reason: 'revoked_client_key' }
  assert.deepEqual(await refused(givenClient(ctx, 'again', over([good.jwk, bad.jwk]))), again)
  await givenClient(ctx, 'fresh', over([good.jwk]))
})

test('a thumbprint that nobody registered gets its entry, and says that it is no more (section 9)', async () => {
  const { jkt } = await generateKey()
  await givenToken(ctx, 'any', { jkt })
  const { revoked, live_tokens, final, note } = await revoke('key', jkt)
  assert.deepEqual([revoked, live_tokens, final], [{ ...NONE, key: 1 }, 1, false])
  assert.match(note ?? '', /only the entry stands.*jwks_uri/)
  assert.equal((await refused(revoke('key', 'short'))).reason, 'malformed_id')
})

test('our own key: compromised, erased, replaced at once, out of the JWKS; its entry stands a day (section 9)', async () => {
  const { kid } = await ctx.keys.signer('EdDSA')
  await givenToken(ctx, 'any', { kid })
  const narrow = caller({ scope: ['revoke'] })
  const forbidden = { code: 'forbidden', reason: 'admin_keys_scope' }
  assert.deepEqual(await refused(revokeIn(ctx, 'key', kid, narrow)), forbidden)
  assert.equal((await ctx.keys.signer('EdDSA')).kid, kid)

  const { revoked, live_tokens, final, ends_at, revoked_at } = await revoke('key', kid)
  assert.deepEqual([revoked, live_tokens, final], [{ ...NONE, key: 1 }, 1, true])
  assert.equal(Date.parse(ends_at) - Date.parse(revoked_at), DAY * 1000)
  const old = await ctx.db
    .selectFrom('signing_key')
    .select(['state', 'private_sealed'])
    .where('kid', '=', kid)
    .executeTakeFirst()
  assert.deepEqual(old, { state: 'compromised', private_sealed: null })
  await ctx.keys.refresh()
  const next = await ctx.keys.signer('EdDSA')
  assert.notEqual(next.kid, kid)
  const published = ctx.keys.published().filter(key => key.alg === 'EdDSA')
  assert.deepEqual(
    published.map(key => key.kid),
    [next.kid],
  )
  // Again: nothing is made, the entry is written anew.
  assert.deepEqual((await revoke('key', kid)).revoked, { ...NONE, key: 1 })
  await ctx.keys.refresh()
  assert.equal((await ctx.keys.signer('EdDSA')).kid, next.kid)
})

test('counting ends at 10,000 tokens and says "at least"; all of them stop (section 9)', async () => {
  const kid = 'b'.repeat(43)
  const one = await givenToken(ctx, 'many', { kid })
  await sql`insert into token select jti || n, client_id, sub, resource, scope, token_profile, kid, token_type, jkt,
    agent_id, registration_id, workflow_id, workflow_version, workflow_step, workflow_state, execution_id, parent_jti,
    initiated_by, issued_at, expires_at from token, generate_series(1, 10000) n where jti = ${one}`.execute(ctx.db)
  const { live_tokens, live_tokens_at_least } = await revoke('key', kid)
  assert.deepEqual([live_tokens, live_tokens_at_least], [10_000, true])
})

test('revocations are listed newest first, page after page, with what was lifted (section 11)', async () => {
  clock.advance(1)
  const first = await revoke('initiator', `user:list:${randomUUID()}`)
  const second = await revoke('initiator', `user:list:${randomUUID()}`)
  await ctx.db.updateTable('revocation').set({ lifted_at: ctx.now() }).where('id', '=', first.id).execute()
  const page = await getRevocations(ctx, { limit: 1 })
  const view = { kind: 'initiator', reason: 'test', revoked_by: 'admin', at: first.revoked_at, ends_at: first.ends_at }
  assert.deepEqual(page.items, [{ ...view, id: second.id, lifted_at: null }])
  const next = await getRevocations(ctx, { limit: 1, cursor: page.next_cursor ?? '' })
  assert.deepEqual(next.items, [{ ...view, id: first.id, lifted_at: first.revoked_at }])
  await revoke('token', await givenToken(ctx, 'some'))
  const ofKind = await getRevocations(ctx, { limit: 2, kind: 'initiator' })
  assert.deepEqual(
    ofKind.items.map(item => item.id),
    [second.id, first.id],
  )
  const none = await getRevocations(ctx, { limit: 2, kind: 'token', cursor: ofKind.next_cursor ?? '' }).catch(e => e)
  assert.equal(none.reason, 'forged_cursor')
  const forged = getRevocations(ctx, { limit: 1, cursor: 'AAAA' })
  assert.equal((await refused(forged)).reason, 'forged_cursor')
})
