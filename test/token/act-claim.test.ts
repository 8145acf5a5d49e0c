import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHAIN_DISCLOSURES, TOKEN_PROFILES } from '../../src/protocol/resource.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { accessTokenClaims } from '../../src/server/token/claims.ts'
import { applyPolicy } from '../../src/server/token/policy.ts'
import { clientCredentials, send, tokenRequest } from '../attacks/attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenResource, givenWorkflow, givenWorld } from '../attacks/given.ts'
import { generateKey } from '../support/dpop.ts'
import { delegate, type Minted, mint } from './delegating.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from './foreign.ts'
import { AGENT, agentAuthorization, PROOF, target } from './given.ts'

const USER = 'user:corp:42'

/** The table of protocol.md section 7: chain, whether there is a user, whose `sub`, and the actors newest first. */
const TABLE: readonly (readonly [readonly string[], boolean, string, readonly string[]])[] = [
  [['a'], false, 'a', []],
  [['a', 'b'], false, 'a', ['b']],
  [['a', 'b', 'c'], false, 'a', ['c', 'b']],
  [['a'], true, 'user', ['a']],
  [['a', 'b'], true, 'user', ['b', 'a']],
  [['a', 'b', 'c'], true, 'user', ['c', 'b', 'a']],
]

type Actor = { readonly sub: string; readonly sub_profile: string; readonly act?: Actor }

function nested([sub, ...earlier]: readonly string[]): Actor | undefined {
  if (sub === undefined) return undefined
  const act = nested(earlier)
  return { sub, sub_profile: 'ai_agent', ...(act && { act }) }
}

/** What a token says of who acts for whom; `name` makes a subject name of a bare id. */
function expectedOf(
  [chain, , sub, actors]: (typeof TABLE)[number],
  api: { readonly profile: string; readonly disclosure: string },
  name: (agent_id: string) => string,
) {
  if (api.profile === 'draft') return { sub: chain.at(-1), sub_profile: undefined, act: undefined }
  const shown = api.disclosure === 'hash' ? actors.slice(0, 1) : actors
  const subject = sub === 'user' ? { sub: USER, sub_profile: 'user' } : { sub: name(sub), sub_profile: 'ai_agent' }
  return { ...subject, act: nested(shown.map(name)) }
}

const APIS = TOKEN_PROFILES.flatMap(profile => CHAIN_DISCLOSURES.map(disclosure => ({ profile, disclosure })))

for (const { profile, disclosure } of APIS) {
  test(`sub and act in profile ${profile} where the API is shown ${disclosure} (protocol.md section 7)`, () => {
    const name = (agent_id: string) => `agent:app:${agent_id}`
    for (const row of TABLE) {
      const [chain, hasUser] = row
      const agent_id = chain.at(-1) ?? ''
      const subject = hasUser
        ? { sub: USER, sub_profile: 'user' as const }
        : { sub: name(chain[0] ?? ''), sub_profile: 'ai_agent' as const }
      const permitted = agentAuthorization({
        ...subject,
        agent: { ...AGENT, agent_id, chain: chain.map(name) },
        target: target({ token_profile: profile, chain_disclosure: disclosure }),
      })
      const at = { iss: 'https://idp.example.com', iat: 1_000, jti: 'jti' }
      const { sub, sub_profile, act } = accessTokenClaims(applyPolicy(permitted, PROOF, new Date(0)), at)
      assert.deepEqual({ sub, sub_profile, act }, expectedOf(row, { profile, disclosure }, name), chain.join())
    }
  })
}

test('no agent is named for a client’s own token, nor for a person’s by exchange (section 6 (b))', () => {
  const at = { iss: 'https://idp.example.com', iat: 1_000, jti: 'jti' }
  for (const [sub, sub_profile] of [
    ['app', 'client'],
    [USER, 'user'],
    ['user:ci:job', 'workload'],
  ] as const) {
    const { agent: _, ...alone } = agentAuthorization({ sub, sub_profile })
    const claims = accessTokenClaims(applyPolicy(alone, PROOF, new Date(0)), at)
    assert.deepEqual(
      [claims.sub, claims.sub_profile, claims.act, claims.intent],
      [sub, sub_profile, undefined, undefined],
    )
  }
})

const world = await givenWorld()
const { app, ctx } = world
const reader = await givenClient(ctx, 'reader', { access: [] })
const urlOf = ({ profile, disclosure }: (typeof APIS)[number]) => `https://${profile}-${disclosure}.example.com`
for (const api of APIS) {
  const { profile: token_profile, disclosure: chain_disclosure } = api
  const members = { token_profile, chain_disclosure, client_id: reader.client_id }
  await givenResource(ctx, { resource: urlOf(api), scopes: [{ name: 'read' }], ...members })
}
const access = APIS.map(api => ({ resource: urlOf(api), scope: 'read' }))
const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
const client = await givenClient(ctx, 'crew', { access: [...access, own] })
const crew: GivenAgent[] = []
for (const agent_id of ['a', 'b', 'c']) crew.push(await givenAgent(ctx, client, agent_id, { grant: { access } }))
await givenWorkflow(ctx, client, 'flow', [{ step_id: 'work', agent_id: 'a' }])
const foreignKey = await generateKey()
await givenTrustedIssuer(app, foreignKey, { name: 'corp', clients: ['crew'] })

/** One step of one execution: the first agent enters it, for a user or for nobody, and delegates on. */
async function chainAt(resource: string, hasUser: boolean): Promise<readonly Minted[]> {
  const step = { workflow_id: 'flow', workflow_step: 'work' }
  const subject = hasUser
    ? {
        subject_token: await foreignToken(app, foreignKey, { sub: '42', jti: ctx.randomId() }),
        subject_token_type: JWT_TYPE,
      }
    : {}
  const minted: Minted[] = []
  for (const agent of crew) {
    const parent = minted.at(-1)
    const assertion = parent && (await delegate(world, parent, agent))
    minted.push(await mint(world, agent, assertion, { resource, params: { ...step, ...(!parent && subject) } }))
  }
  return minted
}

async function introspected(token: string, by: typeof client): Promise<Readonly<Record<string, unknown>>> {
  return (await send(world, tokenRequest(world, '/oauth/introspect', by, token))).body
}

for (const api of APIS) {
  test(`over HTTP: a chain of 1, 2 and 3 in profile ${api.profile} where the API is shown ${api.disclosure} (protocol.md section 7)`, async () => {
    const name = (agent_id: string) => `agent:crew:${agent_id}`
    for (const hasUser of [false, true]) {
      const rows = TABLE.filter(row => row[1] === hasUser)
      for (const [hop, { token, claims }] of (await chainAt(urlOf(api), hasUser)).entries()) {
        const row = rows[hop]
        assert.ok(row)
        const { sub, sub_profile, act, intent, delegation_proofs } = claims
        assert.deepEqual({ sub, sub_profile, act }, expectedOf(row, api, name))
        const [ids] = row
        const chain = ids.map(name)
        assert.equal(intent?.executed_by, ids.at(-1))
        assert.equal(intent?.initiated_by, hasUser ? USER : name('a'))
        assert.equal(intent?.delegation_chain, sequenceHash(ids))
        assert.equal(intent?.chain_commitment, chainCommitment(chain))
        assert.equal(delegation_proofs?.length, api.disclosure === 'proofs' && hop > 0 ? hop : undefined)

        const plain = { active: true, token_type: 'DPoP', ...claims }
        assert.deepEqual(await introspected(token, client), { ...plain, chain })
        const told = api.disclosure === 'actors' ? { chain } : {}
        assert.deepEqual(await introspected(token, reader), { ...plain, ...told })
      }
    }
  })
}

test('a client-level token has no chain, whoever asks (protocol.md section 7)', async () => {
  const [api] = APIS
  assert.ok(api)
  const asked = clientCredentials(world, client)
  asked.params = { ...asked.params, resource: urlOf(api) }
  const { body } = await send(world, asked)
  for (const by of [client, reader]) {
    const seen = await introspected(String(body.access_token), by)
    assert.deepEqual([seen.active, seen.sub, seen.chain, seen.act], [true, 'crew', undefined, undefined])
  }
})
