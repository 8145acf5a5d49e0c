import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompactSign, decodeJwt } from 'jose'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { recordPresentation } from '../../src/server/store/presentations.ts'
import { insertToken } from '../../src/server/store/tokens.ts'
import { forge } from '../protocol/forge.ts'
import { givenAdministrator } from './admin-call.ts'
import { type Answer, type Attempt, agentGrant, send, tokenRequest } from './attempt.ts'
import { withTableHeld } from './gate-watch.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorld, READ_API, thumbprint } from './given.ts'
import { startNode } from './node.ts'

const DESCENDANTS = 1_000
/** Requests under way at once. */
const WIDTH = 8
/** So many are delegated from one token, on the first four levels: 4, 16, 64, 256, and the rest on the fifth. */
const FAN_OUT = 4
const HOPS = 5

const world = await givenWorld()
const { ctx, app } = world
// Its secret costs neither a signature nor a claim, some thousand times.
const client = await givenClient(ctx, 'tree', { token_endpoint_auth_method: 'client_secret_post' })
const node = await startNode(world)
const agents: GivenAgent[] = []
for (let hop = 0; hop <= HOPS; hop += 1) agents.push(await givenAgent(ctx, client, `hop-${hop}`))
const jkts = await Promise.all(agents.map(agent => thumbprint(agent.key)))

type Minted = { readonly jti: string; readonly token: string; readonly hop: number; readonly chain: readonly string[] }
type Delegated = Minted & { readonly assertion: string }

function jtiOf({ body }: Answer): string {
  return String(decodeJwt(String(body.access_token)).jti)
}

/** What a first presentation, and the mint under it, leave behind: assertion, delegation, token, signed as ever. */
async function delegate(parent: Minted | Delegated): Promise<Delegated> {
  const hop = parent.hop + 1
  const [delegator, delegate] = [agents[parent.hop], agents[hop]]
  assert.ok(delegator && delegate)
  const now = ctx.now()
  const iat = app.clock.seconds()
  const above = 'assertion' in parent ? delegationDigest(parent.assertion) : undefined
  const claims = {
    iss: agentSubject(client.client_id, delegator.agent_id),
    sub: agentSubject(client.client_id, delegate.agent_id),
    ...{ aud: app.issuer, parent_jti: parent.jti, ...(above !== undefined && { prev: above }) },
    ...{ jkt: jkts[hop] ?? '', scope: 'read', resource: [READ_API], iat, exp: iat + 3_600, jti: ctx.randomId() },
  }
  const { key } = delegator
  const assertion = forge({ typ: 'delegation+jwt', alg: key.alg, jwk: key.jwk }, claims, key)
  const delegation_id = delegationDigest(assertion)
  const chain = [...parent.chain, claims.sub]
  const { client_id } = client
  const row = {
    ...{ delegation_id, client_id, delegator: claims.iss, delegate: claims.sub, jti: claims.jti, assertion },
    ...{ parent_jti: parent.jti, parent_delegation_id: above ?? null, execution_id: null, workflow_step: null },
    ...{ delegator_jkt: jkts[parent.hop] ?? '', jkt: claims.jkt, scope: 'read', resource: READ_API },
    ...{ chain, issued_at: now, expires_at: new Date(claims.exp * 1000), presented_at: now },
  }
  await recordPresentation(ctx, { row, max_children: 16 })
  return { ...(await mintedUnder(parent, delegate, { hop, delegation_id, sub: chain[0] ?? '' })), assertion, chain }
}

async function mintedUnder(
  parent: Minted,
  { agent_id, registration_id }: GivenAgent,
  { hop, delegation_id, sub }: { hop: number; delegation_id: string; sub: string },
): Promise<Omit<Minted, 'chain'>> {
  const { kid, key, alg } = await ctx.keys.signer('ES256')
  const jti = ctx.randomId()
  const iat = app.clock.seconds()
  const { client_id } = client
  const jkt = jkts[hop] ?? ''
  const claims: AccessTokenClaims = {
    ...{ iss: app.issuer, aud: READ_API, client_id, sub, sub_profile: 'ai_agent', scope: 'read', cnf: { jkt } },
    ...{ iat, exp: iat + 300, jti },
  }
  const payload = Buffer.from(JSON.stringify(claims))
  const token = await new CompactSign(payload).setProtectedHeader({ alg, typ: 'at+jwt', kid }).sign(key)
  await insertToken(ctx, {
    ...{ jti, client_id, sub, resource: READ_API, scope: 'read', token_profile: 'interop', kid, token_type: 'DPoP' },
    ...{ jkt, agent_id, registration_id, execution_id: null, initiated_by: sub, approval_id: null },
    ...{ workflow_id: null, workflow_version: null, workflow_step: null, workflow_state: 'none' },
    ...{ parent_jti: parent.jti, delegation_id, issued_at: ctx.now(), expires_at: new Date((iat + 300) * 1000) },
  })
  return { jti, token, hop }
}

/** 1,000 tokens delegated from one, level after level. */
async function givenTree(root: Minted): Promise<readonly Delegated[]> {
  const all: Delegated[] = []
  for (let level: readonly Minted[] = [root]; all.length < DESCENDANTS; ) {
    const isLast = level[0]?.hop === HOPS - 1
    const due = isLast ? DESCENDANTS - all.length : level.length * FAN_OUT
    const next: Delegated[] = []
    for (let n = 0; n < due; n += 1) next.push(await delegate(level[n % level.length] ?? root))
    all.push(...next)
    level = next
  }
  return all
}

/** Runs each, `WIDTH` at a time, in turn at both nodes. */
async function atBothNodes<T, R>(items: readonly T[], run: (item: T, port: number | undefined) => Promise<R>) {
  const waiting = [...items.entries()]
  const results: R[] = []
  const work = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [index, item] = next
      results[index] = await run(item, index % 2 === 0 ? undefined : node.port)
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, work))
  return results
}

async function isActive(token: string, port?: number): Promise<boolean> {
  const answer = await send(world, tokenRequest(world, '/oauth/introspect', client, token), port)
  return answer.status !== 200 || answer.body.active !== false
}

function presented({ hop, assertion }: Delegated): Attempt {
  const agent = agents[hop]
  assert.ok(agent)
  const attempt = agentGrant(world, '/intent/token', agent)
  attempt.params.delegation_assertion = assertion
  return attempt
}

async function rootToken(agent = agents[0]): Promise<Minted> {
  assert.ok(agent)
  const answer = await send(world, agentGrant(world, '/intent/token', agent))
  const sub = agentSubject(client.client_id, agent.agent_id)
  return { jti: jtiOf(answer), token: String(answer.body.access_token), hop: 0, chain: [sub] }
}

test('[attack 115] 1,000 tokens that descend from one, at depth up to 5, die with it at both nodes, and nothing is minted below it any more (section 9)', async t => {
  const root = await rootToken()
  const tree = await givenTree(root)
  const other = await delegate(await rootToken())
  assert.deepEqual([tree.length, Math.max(...tree.map(({ hop }) => hop))], [DESCENDANTS, HOPS])
  // The tree is as real as a mint makes it.
  const oneALevel = [1, 2, 3, 4, 5].flatMap(hop => tree.find(one => one.hop === hop) ?? [])
  for (const one of oneALevel) {
    assert.equal(await isActive(one.token, node.port), true)
    const answer = await send(world, presented(one))
    assert.equal(answer.status, 200, answer.text)
  }

  const started = performance.now()
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, root.token))).status, 200)
  const took = performance.now() - started
  for (const port of [undefined, node.port]) {
    const active = await atBothNodes(tree, ({ token }) => isActive(token, port))
    assert.equal(active.filter(Boolean).length, 0)
    assert.equal(await isActive(other.token, port), true)
  }
  const row = await ctx.db
    .selectFrom('audit_event')
    .select('details')
    .where('action', '=', 'token.revoke')
    .where('jti', '=', root.jti)
    .executeTakeFirst()
  // And the five that were minted to see that the tree is real.
  assert.deepEqual(row?.details, { revoked: { token: 1 + DESCENDANTS + oneALevel.length, delegations: DESCENDANTS } })

  // All entries have ended by now, and all tokens; the delegations would go on for 40 minutes more.
  app.clock.advance(1_200)
  const refused = await atBothNodes(tree, (one, port) => send(world, presented(one), port))
  assert.deepEqual(
    [...new Set(refused.map(({ status, body }) => `${status} ${body.error}`))],
    ['403 delegation_unauthorized'],
  )
  assert.equal((await send(world, presented(other), node.port)).status, 200)
  t.diagnostic(`the revocation took ${Math.round(took)} ms`)
})

test('[attack 115] a revocation that storage fails in the middle of is 503 and Retry-After, and has ended nothing (RFC 7009 section 2.2.1)', async () => {
  const root = await rootToken()
  const child = await delegate(root)
  const revoke = () => send(world, tokenRequest(world, '/oauth/revoke', client, root.token))
  await withTableHeld(world, 'token', async () => {
    const answer = await revoke()
    assert.deepEqual([answer.status, answer.body.error], [503, 'temporarily_unavailable'])
    assert.match(String(answer.headers['retry-after']), /^\d+$/)
  })
  assert.deepEqual([await isActive(root.token), await isActive(child.token, node.port)], [true, true])
  assert.equal((await send(world, presented(child), node.port)).status, 200)
  assert.equal((await revoke()).status, 200)
  assert.deepEqual([await isActive(root.token), await isActive(child.token, node.port)], [false, false])
})

test('[attack 115] a token that has expired ends what was delegated from it all the same (RFC 7009 section 2.1; section 9)', async () => {
  const root = await rootToken()
  const child = await delegate(root)
  app.clock.advance(301)
  const renewed = await send(world, presented(child), node.port)
  assert.equal(renewed.status, 200, renewed.text)
  const revoke = () => send(world, tokenRequest(world, '/oauth/revoke', client, root.token))
  assert.equal((await revoke()).status, 200)
  assert.equal(await isActive(String(renewed.body.access_token)), false)
  assert.equal((await send(world, presented(child))).body.error, 'delegation_unauthorized')
  const written = async () => (await ctx.db.selectFrom('revocation').select('seq').execute()).length
  const before = await written()
  assert.equal((await revoke()).status, 200)
  assert.equal(await written(), before)
})

test('[attack 115] what a suspension has stopped for a while, its client ends for good (RFC 7009 section 2.1; section 9)', async () => {
  const [eve, otto] = [
    await givenAdministrator(world, 'user:local:eve'),
    await givenAdministrator(world, 'user:local:otto'),
  ]
  const root = await rootToken()
  const child = await delegate(root)
  const below = await delegate(child)
  const path = `/agents/${client.client_id}/hop-0`
  assert.equal((await eve.call('POST', `${path}/suspend`, { reason: 'It leaks.' })).status, 200)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, child.token))).status, 200)
  assert.equal((await otto.call('POST', `${path}/resume`, {})).status, 200)
  app.clock.advance(1_200)
  assert.equal((await send(world, presented(child), node.port)).status, 200)
  const refused = await send(world, presented(below), node.port)
  assert.deepEqual([refused.status, refused.body.error], [403, 'delegation_unauthorized'])
})
