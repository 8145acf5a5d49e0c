import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { type Answer, type Attempt, agentGrant, proofOf, send } from '../attacks/attempt.ts'
import {
  type GivenAgent,
  type GivenClient,
  givenAgent,
  givenClient,
  givenResource,
  givenWorld,
  READ_API,
  thumbprint,
  type World,
  WRITE_API,
} from '../attacks/given.ts'
import { type Expected, refused } from '../attacks/refused.ts'
import { forge, type TestKey } from '../protocol/forge.ts'
import type { TestAppOptions } from '../support/app.ts'

export const PROOFS_API = 'https://proofs.example.com'
const INTENT = '/intent/token'

/** A token with what its holder needs to delegate from it. */
export type Minted = {
  readonly agent: GivenAgent
  readonly token: string
  readonly claims: AccessTokenClaims
  readonly key: TestKey
  /** Under which it was minted. */
  readonly assertion?: string
}

export type Crew = {
  readonly world: World
  readonly client: GivenClient
  /** No workflow assigns any of these. */
  readonly agents: readonly GivenAgent[]
}

/** What the crew, and each of its agents, may ask for. */
export const ACCESS = [
  { resource: READ_API, scope: 'read write' },
  { resource: WRITE_API, scope: 'read write' },
  { resource: PROOFS_API, scope: 'read write' },
]

/** A client with seven agents that may all do the same, and an API that asks for proofs. */
export async function givenCrew(options: TestAppOptions = {}, policies: object = {}): Promise<Crew> {
  const world = await givenWorld(options)
  const { ctx } = world
  const scopes = [{ name: 'read' }, { name: 'write' }]
  await givenResource(ctx, { resource: PROOFS_API, scopes, chain_disclosure: 'proofs' })
  const access = [...ACCESS, { resource: ctx.config.issuer, scope: 'generate:intent-token' }]
  const client = await givenClient(ctx, 'crew', { access, policies })
  const agents: GivenAgent[] = []
  for (const agent_id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) agents.push(await givenCrewAgent(world, client, agent_id))
  return { world, client, agents }
}

export async function givenCrewAgent(world: World, client: GivenClient, agent_id: string): Promise<GivenAgent> {
  return await givenAgent(world.ctx, client, agent_id, { grant: { access: ACCESS } })
}

export type Asked = {
  readonly scope?: string
  readonly resource?: string
  readonly key?: TestKey
  /** Further parameters of the request. */
  readonly params?: Readonly<Record<string, unknown>>
}

/** The agent grant at /intent/token, with an assertion where there is one. */
export function mintAttempt(
  world: World,
  agent: GivenAgent,
  assertion: string | undefined,
  asked: Asked = {},
): Attempt {
  const { scope = 'read', resource = READ_API, key = agent.key, params } = asked
  const attempt = agentGrant(world, INTENT, agent)
  const { workflow_enabled: _, ...usual } = attempt.params
  return {
    ...attempt,
    params: {
      ...usual,
      requested_scopes: scope.split(' '),
      audience: resource,
      ...(assertion !== undefined && { delegation_assertion: assertion }),
      ...params,
    },
    proof: proofOf(world, key, INTENT),
  }
}

export async function mint(
  world: World,
  agent: GivenAgent,
  assertion?: string,
  asked: Asked & { readonly port?: number } = {},
): Promise<Minted> {
  const answer = await send(world, mintAttempt(world, agent, assertion, asked), asked.port)
  return { agent, ...readToken(answer), key: asked.key ?? agent.key, ...(assertion !== undefined && { assertion }) }
}

/** The token of a good answer, and what it says. */
export function readToken(answer: Answer): Pick<Minted, 'token' | 'claims'> {
  assert.equal(answer.status, 200, answer.text)
  const token = String(answer.body.access_token)
  const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return { token, claims: accessTokenClaimsSchema.parse(payload) }
}

export type Changes = Readonly<Record<string, unknown>>

/** What the holder of a token says of it: good for 600 s, with all the rights of that token, as the parent has them. */
export async function assertionClaims(world: World, parent: Minted, to: GivenAgent, changes: Changes = {}) {
  const { agent, claims, assertion } = parent
  const iat = world.app.clock.seconds()
  return {
    iss: `agent:${agent.client.client_id}:${agent.agent_id}`,
    sub: `agent:${to.client.client_id}:${to.agent_id}`,
    aud: world.app.issuer,
    parent_jti: claims.jti,
    prev: assertion === undefined ? undefined : delegationDigest(assertion),
    jkt: await thumbprint(to.key),
    scope: claims.scope,
    resource: [claims.aud],
    workflow_step: claims.intent?.workflow_step,
    execution_id: claims.intent?.execution_id,
    iat,
    exp: iat + 600,
    jti: randomUUID(),
    ...changes,
  }
}

/** The assertion, signed by the key of the parent token; members that are undefined are left out. */
export async function delegate(
  world: World,
  parent: Minted,
  to: GivenAgent,
  changes: Changes = {},
  key: TestKey = parent.key,
): Promise<string> {
  const claims = await assertionClaims(world, parent, to, changes)
  return forge({ alg: key.alg, typ: 'delegation+jwt', jwk: key.jwk }, claims, key)
}

/** Mints at the first agent and delegates from each to the next. @returns the tokens, root first */
export async function mintChain(
  world: World,
  agents: readonly GivenAgent[],
  asked: Asked = {},
  changes: Changes = {},
): Promise<readonly Minted[]> {
  const minted: Minted[] = []
  for (const agent of agents) {
    const parent = minted.at(-1)
    minted.push(await mint(world, agent, parent && (await delegate(world, parent, agent, changes)), asked))
  }
  return minted
}

/** The refusal of a delegation, with its one audit row. */
export function because(reason: string, ajwt_error?: 'limit_exceeded'): Expected {
  return { status: 403, error: 'delegation_unauthorized', reason, audited: true, ...(ajwt_error && { ajwt_error }) }
}

/** An assertion that is refused for this reason, while a good mint still succeeds. */
export async function refusedUnder(
  world: World,
  agent: GivenAgent,
  assertion: string,
  expected: Expected,
  asked: Asked = {},
): Promise<void> {
  await refused(world, mintAttempt(world, agent, assertion, asked), expected, agentGrant(world, INTENT, world.solo))
}
