import { decodeJwt } from 'jose'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import type { TestApp } from '../support/app.ts'
import { signAssertion, signProof } from '../support/dpop.ts'
import { type GivenClient, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { type GivenAgent, givenWorkflow } from '../support/recorded.ts'
import type { Presented, Rights, Standing } from './delegation-model.ts'

export const RESOURCES = ['https://one.example.test', 'https://two.example.test'] as const
const [ONE, TWO] = RESOURCES
/** Scopes that a resource has. */
export const SCOPES: Readonly<Record<string, readonly string[]>> = { [ONE]: ['r', 'w', 'x'], [TWO]: ['r', 'w'] }

const ALL: Rights = [
  { resource: ONE, scope: 'r w x' },
  { resource: TWO, scope: 'r w' },
]

/** What each agent may have; the first five have a step of the workflow. */
const GRANTS: Readonly<Record<string, Rights>> = {
  a0: ALL,
  a1: ALL,
  a2: [{ resource: ONE, scope: 'r w' }],
  a3: ALL,
  a4: ALL,
  a5: [
    { resource: ONE, scope: 'r x' },
    { resource: TWO, scope: 'r' },
  ],
  a6: ALL,
}

const CEILINGS: Readonly<Record<string, Rights>> = {
  s1: [{ resource: ONE, scope: 'r w' }],
  s3: [
    { resource: ONE, scope: 'x' },
    { resource: TWO, scope: 'r w' },
  ],
  s4: ALL,
}

export const STEPS: readonly WorkflowStep[] = ['s0', 's1', 's2', 's3', 's4'].map((step_id, at) => ({
  step_id,
  agent_id: `a${at}`,
  required: false,
  requires_approval: false,
  approval_gate: false,
  // A graph, so that a step leaves those it is built upon only.
  dependencies: step_id === 's4' ? ['s0'] : [],
  repeatable: true,
  ...(CEILINGS[step_id] && { access: CEILINGS[step_id].map(pair => ({ ...pair })) }),
}))

export type Grove = {
  readonly app: TestApp
  readonly client: GivenClient
  readonly agents: Readonly<Record<string, GivenAgent>>
  readonly standing: Standing
}

/** A client of seven agents with a workflow of five steps, whose tokens may be delegated three times each. */
export async function givenGrove(app: TestApp): Promise<Grove> {
  for (const resource of RESOURCES) {
    await givenResource(app, { resource, scopes: (SCOPES[resource] ?? []).map(name => ({ name })) })
  }
  const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
  const client = await givenClient(app, {
    access: [...ALL, own],
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
    policies: { limits: { max_tokens: 1000, max_children: 3, max_nodes: 10_000 } },
  })
  const agents: Record<string, GivenAgent> = {}
  for (const [id, access] of Object.entries(GRANTS)) {
    agents[id] = await givenAgent(app, client, id, { grant: { access, outside_workflow: true } })
  }
  await givenWorkflow(app, client, 'flow', STEPS)
  const jkts = Object.fromEntries(Object.entries(agents).map(([id, { key }]) => [id, key.jkt]))
  const { client_id } = client
  const standing = { client_id, jkts, grants: GRANTS, ceilings: CEILINGS, max_children: 3, ends: null }
  return { app, client, agents, standing }
}

export type Wanted = Pick<Presented, 'agent' | 'step' | 'execution_id' | 'scope' | 'resource'> & {
  readonly chain?: readonly string[]
  readonly assertion?: string
  /** The parent token, at /oauth/token. */
  readonly exchanged?: string
}

export type Got = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly token: string
  readonly claims: AccessTokenClaims | undefined
}

/** One mint by an agent: at /intent/token, or as an exchange of the parent token at /oauth/token. */
export async function ask({ app, client, agents }: Grove, wanted: Wanted): Promise<Got> {
  const agent = agents[wanted.agent]
  if (!agent) throw new Error('No such agent.')
  const { issuer, clock } = app
  const iat = clock.seconds()
  const htu = `${issuer}/${wanted.exchanged === undefined ? 'intent' : 'oauth'}/token`
  const { step, execution_id, chain, assertion } = wanted
  const common = {
    agent_id: agent.agent_id,
    computed_checksum: agent.checksum,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(client.key, { client_id: client.client_id, issuer, iat }),
    ...(step !== null && { workflow_id: 'flow', workflow_step: step }),
    ...(execution_id !== null && { execution_id }),
    ...(assertion !== undefined && { delegation_assertion: assertion }),
  }
  const dpop = await signProof(agent.key, { htu, iat })
  const sent = wanted.exchanged === undefined ? asJson(common, wanted, chain) : asForm(common, wanted, chain)
  const response = await fetch(htu, { method: 'POST', headers: { ...sent.headers, dpop }, body: sent.body })
  const answer: unknown = await response.json()
  const body = typeof answer === 'object' && answer !== null ? Object.fromEntries(Object.entries(answer)) : {}
  const token = typeof body.access_token === 'string' ? body.access_token : ''
  return {
    status: response.status,
    body,
    token,
    claims: token ? accessTokenClaimsSchema.parse(decodeJwt(token)) : undefined,
  }
}

function asJson(common: object, { scope, resource }: Wanted, chain: readonly string[] | undefined) {
  const body = {
    ...common,
    ...{ grant_type: AGENT_GRANT, requested_scopes: scope, audience: resource },
    ...(chain && { delegation_context: { chain } }),
  }
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

function asForm(common: object, { scope, resource, exchanged = '' }: Wanted, chain: readonly string[] | undefined) {
  const body = new URLSearchParams({
    ...common,
    ...{ grant_type: TOKEN_EXCHANGE_GRANT, scope: scope.join(' '), resource, subject_token: exchanged },
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    ...(chain && { delegation_context: JSON.stringify({ chain }) }),
  })
  return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: body.toString() }
}
