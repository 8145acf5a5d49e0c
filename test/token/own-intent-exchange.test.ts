import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { resume, suspend } from '../../src/server/registry/agent-suspension.ts'
import { type Attempt, agentGrant, clientCredentials, send } from '../attacks/attempt.ts'
import { type GivenAgent, type GivenClient, givenClient } from '../attacks/given.ts'
import { startNode } from '../attacks/node.ts'
import { type Expected, refused } from '../attacks/refused.ts'
import { caller } from '../registry/given.ts'
import { revoke } from '../registry/given-revocation.ts'
import { ACCESS, delegate, givenCrew, givenCrewAgent, type Minted, mint, mintChain, readToken } from './delegating.ts'

/* A live intent token of ours as subject token (protocol.md section 6, Token exchange (a); RFC 8693 section 2.1). */

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const OTHER_TYPES = ['id_token', 'jwt', 'refresh_token', 'saml2'].map(
  type => `urn:ietf:params:oauth:token-type:${type}`,
)

const { world, agents: others } = await givenCrew()
const { ctx } = world
const { clock } = world.app
const { port } = await startNode(world)
const swap = await givenExchanging('swap')
const agents: GivenAgent[] = []
for (const agent_id of ['a', 'b', 'c']) agents.push(await givenCrewAgent(world, swap, agent_id))
const [, , c] = agents
const d = await givenCrewAgent(world, swap, 'd')
const [stranger, foreigner] = others
assert.ok(c && stranger && foreigner)

async function givenExchanging(client_id: string): Promise<GivenClient> {
  const grant_types = [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT]
  const own = { resource: ctx.config.issuer, scope: 'generate:intent-token' }
  return await givenClient(ctx, client_id, { grant_types, access: [...ACCESS, own] })
}

/** The agent gives the subject token and the assertion of its delegation for a token of its own. */
function exchange(agent: GivenAgent, subject_token: string, assertion?: string, type = ACCESS_TOKEN): Attempt {
  const attempt = agentGrant(world, '/oauth/token', agent)
  Object.assign(attempt.params, { grant_type: TOKEN_EXCHANGE_GRANT, subject_token, subject_token_type: type })
  if (assertion !== undefined) attempt.params.delegation_assertion = assertion
  return attempt
}

/** The same by the assertion alone. */
function alone(assertion: string): Attempt {
  const attempt = agentGrant(world, '/oauth/token', d)
  attempt.params.delegation_assertion = assertion
  return attempt
}

/** Refused with this reason by one node and by the other, which both know the chain; `make` signs each anew. */
async function refusedAtBoth(make: () => Attempt, expected: Expected): Promise<void> {
  await refused(world, make(), expected, agentGrant(world, '/oauth/token', world.solo))
  const { status, body } = await send(world, make(), port)
  const { error, ajwt_error } = expected
  assert.deepEqual([status, body.error, body.ajwt_error], [expected.status, error, ajwt_error])
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['client_id', 'reason'])
    .where('outcome', '=', 'refused')
    .execute()
  const row = { client_id: 'swap', reason: expected.reason }
  assert.deepEqual(rows, [row, row])
}

function notAccepted(reason: string): Expected {
  return { status: 400, error: 'invalid_request', reason, audited: true }
}

function notDelegated(reason: string): Expected {
  return { status: 400, error: 'invalid_grant', ajwt_error: 'delegation_unauthorized', reason, audited: true }
}

/** a → b → c and what c delegated to d: exchanged once at each node, so that both know all of it. */
async function givenExchanged() {
  const minted = await mintChain(world, agents)
  const [root, middle, subject] = minted
  assert.ok(root && middle && subject)
  const assertion = await delegate(world, subject, d)
  const again = () => exchange(d, subject.token, assertion)
  for (const at of [undefined, port]) assert.equal((await send(world, again(), at)).status, 200)
  return { root, middle, subject, assertion, again }
}

async function revokeToken({ claims }: Minted): Promise<void> {
  await revoke(ctx, 'token', claims.jti)
}

test('an intent token is exchanged with its delegation, and the answer is that of the agent grant (section 6)', async () => {
  const { subject, again } = await givenExchanged()
  for (const at of [undefined, port]) {
    const answer = await send(world, again(), at)
    const { claims } = readToken(answer)
    const { access_token: _, ...body } = answer.body
    const issued = { issued_token_type: ACCESS_TOKEN, token_type: 'DPoP', expires_in: 300, scope: 'read' }
    assert.deepEqual(body, issued)
    const by = (agent_id: string, act?: object) => {
      return { sub: `agent:swap:${agent_id}`, sub_profile: 'ai_agent', ...(act && { act }) }
    }
    assert.deepEqual([claims.sub, claims.act], ['agent:swap:a', by('d', by('c', by('b')))])
    const row = ctx.db.selectFrom('token').select('parent_jti').where('jti', '=', claims.jti)
    assert.deepEqual(await row.executeTakeFirst(), { parent_jti: subject.claims.jti })
  }
})

test('[attack 50] an intent token is said to be what it is: an access token (RFC 8693 section 3)', async () => {
  const { subject, assertion } = await givenExchanged()
  for (const type of OTHER_TYPES) {
    await refusedAtBoth(() => exchange(d, subject.token, assertion, type), notAccepted('subject_token_own'))
  }
})

test('[attack 50] a token of another client, of no agent, or that has expired is no subject token (RFC 8693 section 2.1)', async () => {
  const foreign = await mint(world, stranger)
  const forForeigner = await delegate(world, foreign, foreigner)
  await refusedAtBoth(() => exchange(d, foreign.token, forForeigner), notAccepted('subject_token_own'))
  const { subject, assertion } = await givenExchanged()
  await refusedAtBoth(() => exchange(d, foreign.token, assertion), notAccepted('subject_token_own'))

  const { body } = await send(world, clientCredentials(world, swap))
  const ofClient = String(body.access_token)
  await refusedAtBoth(() => exchange(d, ofClient, assertion), notAccepted('subject_token_own'))

  clock.advance(300)
  await refusedAtBoth(() => exchange(d, subject.token, assertion), notAccepted('subject_token_own'))
  // The delegation lives on (attacks.md 66): it is presented without the token that has ended.
  await mint(world, d, assertion)
})

test('[attack 50] the subject token is the parent of the assertion, and none is taken alone (section 6)', async () => {
  const { root, subject, assertion } = await givenExchanged()
  const twin = await mint(world, c, subject.assertion)
  const without = notAccepted('subject_token_without_delegation')
  for (const { token } of [root, twin]) await refusedAtBoth(() => exchange(d, token, assertion), without)
  await refusedAtBoth(() => exchange(d, subject.token), without)
})

test('[attack 50] [attack 66] a subject token that was revoked is refused for that, at every node (section 9)', async () => {
  const { subject, again } = await givenExchanged()
  await revokeToken(subject)
  await refusedAtBoth(again, notAccepted('subject_token_revoked'))
})

test('[attack 66] so is one whose parent or grand-parent was revoked: the cascade reached it (section 9)', async () => {
  for (const above of ['middle', 'root'] as const) {
    const given = await givenExchanged()
    await revokeToken(given[above])
    await refusedAtBoth(given.again, notAccepted('subject_token_revoked'))
    await refusedAtBoth(() => alone(given.assertion), notDelegated('delegation_revoked'))
  }
})

test('[attack 66] while an ancestor is suspended nothing is exchanged or delegated below it, at any node (section 9)', async () => {
  const by = (owner: string) => caller({ sub: owner, acting_owner: owner })
  for (const agent_id of ['a', 'b', 'c']) {
    const { again, assertion } = await givenExchanged()
    const name = { client_id: 'swap', agent_id }
    await transaction(ctx, tx => suspend(tx, by('user:local:eve'), name, { reason: 'It leaks.' }))
    await refusedAtBoth(again, notAccepted('subject_token_revoked'))
    await refusedAtBoth(() => alone(assertion), notDelegated('delegation_above_suspended'))
    await transaction(ctx, tx => resume(tx, by('user:local:otto'), name))
    // Of the tokens only its own are live again, and so is what it delegated from them.
    if (agent_id !== 'c') await refusedAtBoth(again, notAccepted('subject_token_revoked'))
    else {
      for (const at of [undefined, port]) assert.equal((await send(world, alone(assertion), at)).status, 200)
      assert.equal((await send(world, again())).status, 200)
    }
  }
})
