import assert from 'node:assert/strict'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { isJsonObject } from '../../src/protocol/json.ts'
import { WORKFLOW_STEP_TYPE } from '../../src/protocol/workflow-request.ts'
import { type Answer, type Attempt, agentGrant, clientCredentials, exchange, send } from './attempt.ts'
import { type GivenAgent, type GivenClient, givenAgent, givenClient, READ_API, type World } from './given.ts'
import { type Expected, refused } from './refused.ts'

/** Where a step is asked for: the same rules in two vocabularies (protocol.md section 6). */
export const ENDPOINTS = ['/intent/token', '/oauth/token'] as const
export type Endpoint = (typeof ENDPOINTS)[number]

/** The agent grant for a step of workflow `flow`, for `read`, unless told. */
export type Asked = {
  readonly workflow_id?: string
  readonly step?: string
  readonly execution_id?: string | undefined
  readonly scope?: string
  readonly resource?: string
  readonly completed_steps?: readonly string[]
  readonly chain?: readonly string[]
  /** Sent in authorization details. */
  readonly arguments?: object
  readonly more?: Readonly<Record<string, unknown>>
}

export type Crew = {
  readonly client: GivenClient
  readonly planner: GivenAgent
  readonly worker: GivenAgent
  /** No workflow assigns it. */
  readonly free: GivenAgent
}

/** A client whose executions are recorded, with three agents that may all do the same. */
export async function givenCrew(world: World, policies: object = {}): Promise<Crew> {
  const { ctx, app } = world
  const own = 'generate:intent-token register:intent register:workflow'
  const client = await givenClient(ctx, undefined, {
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
    access: [
      { resource: READ_API, scope: 'read deploy pay' },
      { resource: app.issuer, scope: own },
    ],
    policies,
  })
  const access = [{ resource: READ_API, scope: 'read deploy pay' }]
  const agent = (agent_id: string) => givenAgent(ctx, client, agent_id, { grant: { access } })
  return { client, planner: await agent('planner'), worker: await agent('worker'), free: await agent('free') }
}

export function stepAttempt(world: World, path: Endpoint, agent: GivenAgent, asked: Asked): Attempt {
  const { workflow_id = 'flow', step, execution_id, scope = 'read', resource = READ_API, more } = asked
  const { chain, completed_steps, arguments: sent } = asked
  const attempt = agentGrant(world, path, agent)
  const target =
    path === '/oauth/token'
      ? { scope, resource }
      : { requested_scopes: scope.split(' '), audience: resource, workflow_enabled: undefined }
  const named = step === undefined ? {} : { workflow_id, workflow_step: step, execution_id }
  attempt.params = {
    ...attempt.params,
    ...target,
    ...named,
    ...((chain ?? completed_steps) && { delegation_context: { chain, completed_steps } }),
    ...(sent && { authorization_details: [{ type: WORKFLOW_STEP_TYPE, ...named, arguments: sent }] }),
    ...more,
  }
  return attempt
}

export type Minted = { readonly token: string; readonly claims: AccessTokenClaims; readonly execution_id: string }

/** A mint that must succeed. */
export async function minted(
  world: World,
  agent: GivenAgent,
  asked: Asked,
  path: Endpoint = '/intent/token',
): Promise<Minted> {
  const answer = await send(world, stepAttempt(world, path, agent, asked))
  assert.equal(answer.status, 200, answer.text)
  const token = String(answer.body.access_token)
  const [, payload = ''] = token.split('.')
  const claims = accessTokenClaimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
  return { token, claims, execution_id: String(answer.body.execution_id) }
}

/** What a step is refused for, in the words of /intent/token; `code` is the draft's. */
export type StepRefusal = {
  readonly code?: 'workflow_step_unauthorized' | 'delegation_unauthorized'
  readonly reason: string
  readonly ajwt_error?: string
  readonly missing_steps?: readonly string[]
  readonly approval?: boolean
}

const STOCK = { workflow_step_unauthorized: 'invalid_authorization_details', delegation_unauthorized: 'invalid_grant' }

/** Refused at both endpoints, each in its own words, with a row in the audit; an honest request succeeds after each. */
export async function stepRefused(
  world: World,
  agent: GivenAgent,
  asked: Asked,
  { code = 'workflow_step_unauthorized', ...refusal }: StepRefusal,
): Promise<void> {
  const good = () => agentGrant(world, '/oauth/token', world.solo)
  const byEndpoint: Readonly<Record<Endpoint, Expected>> = {
    '/intent/token': { status: 403, error: code, audited: true, ...refusal },
    '/oauth/token': { status: 400, error: STOCK[code], ajwt_error: code, audited: true, ...refusal },
  }
  for (const path of ENDPOINTS) {
    await refused(world, stepAttempt(world, path, agent, asked), byEndpoint[path], good())
  }
}

/** A call of our own API by the client, with a Bearer token for these scopes. */
export async function callAs(
  world: World,
  client: GivenClient,
  scope: string,
  request: { readonly path: string; readonly method?: string; readonly body?: object },
): Promise<Answer> {
  const asked = { ...clientCredentials(world, client), proof: undefined }
  asked.params = { ...asked.params, scope, resource: world.app.issuer }
  const { body } = await send(world, asked)
  const { host, port } = new URL(world.app.issuer)
  const type = request.body ? ['Content-Type', 'application/json'] : []
  const headers = ['Host', host, 'Authorization', `Bearer ${body.access_token}`, ...type]
  const json = request.body ? JSON.stringify(request.body) : ''
  return await exchange(Number(port), request.path, headers, json, request.method)
}

/** The rows of an execution's steps, in the order of their ids. */
export async function stepRows({ ctx }: World, execution_id: string) {
  return await ctx.db
    .selectFrom('execution_step')
    .select(['step_id', 'state', 'entries', 'tokens'])
    .where('execution_id', '=', execution_id)
    .orderBy('step_id')
    .execute()
}

/** The claims of a token without what differs between two tokens of one step. */
export function comparable({ jti: _, ...claims }: AccessTokenClaims): Omit<AccessTokenClaims, 'jti'> {
  return claims
}

export function memberOf(body: Answer['body'], ...path: readonly string[]): unknown {
  let value: unknown = body
  for (const name of path) value = isJsonObject(value) ? value[name] : undefined
  return value
}
