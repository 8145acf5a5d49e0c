import { decodeJwt } from 'jose'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import type { DelegationClaims } from '../../src/protocol/delegation.ts'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { AGENT_GRANT } from '../../src/protocol/grant-types.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { WORKFLOW_STEP_TYPE } from '../../src/protocol/workflow-request.ts'
import { transaction } from '../../src/server/context.ts'
import { registerWorkflow } from '../../src/server/registry/workflows.ts'
import type { TestApp } from './app.ts'
import { signAssertion, signJws, signProof, type TestKey } from './dpop.ts'
import type { GivenClient } from './given.ts'

/** An agent as `givenAgent` answers it. */
export type GivenAgent = { readonly agent_id: string; readonly key: TestKey; readonly checksum: string }

/** What a mint was answered; `claims` unverified where there is a token. */
export type Minted = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly token: string
  readonly claims: AccessTokenClaims | undefined
}

export type MintRequest = {
  readonly resource: string
  readonly scope: string
  readonly workflow_id?: string
  readonly step?: string
  readonly execution_id?: string | undefined
  /** Sent in authorization_details. */
  readonly arguments?: object
  readonly arguments_digest?: string
  readonly delegation_assertion?: string
  /** Further members of the JSON body. */
  readonly more?: object
}

/** Registers a workflow of the client, by itself. */
export async function givenWorkflow(
  app: TestApp,
  client: GivenClient,
  workflow_id: string,
  steps: readonly object[],
): Promise<void> {
  const { client_id } = client
  const caller = {
    ...{ client_id, sub: client_id, acting_owner: 'user:local:anna', scope: [], registers_for: [] },
    ...{ request_id: 'given', address: '127.0.0.1' },
  }
  const body = workflowRegistrationSchema.parse({ workflow_id, steps })
  await transaction(app.ctx, tx => registerWorkflow(tx, caller, body))
}

/** One mint at /intent/token with the client's assertion and a proof by the agent's key. */
export async function mint(
  app: TestApp,
  client: GivenClient,
  agent: GivenAgent,
  request: MintRequest,
): Promise<Minted> {
  const { issuer, clock } = app
  const iat = clock.seconds()
  const htu = `${issuer}/intent/token`
  const body = {
    grant_type: AGENT_GRANT,
    agent_id: agent.agent_id,
    computed_checksum: agent.checksum,
    requested_scopes: request.scope.split(' '),
    audience: request.resource,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(client.key, { client_id: client.client_id, issuer, iat }),
    ...namedStep(request),
    ...(request.delegation_assertion !== undefined && { delegation_assertion: request.delegation_assertion }),
    ...request.more,
  }
  const headers = { 'content-type': 'application/json', dpop: await signProof(agent.key, { htu, iat }) }
  const response = await fetch(htu, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer: unknown = await response.json()
  const known = typeof answer === 'object' && answer !== null ? Object.fromEntries(Object.entries(answer)) : {}
  const token = typeof known.access_token === 'string' ? known.access_token : ''
  const claims = token === '' ? undefined : accessTokenClaimsSchema.parse(decodeJwt(token))
  return { status: response.status, body: known, token, claims }
}

function namedStep(request: MintRequest): object {
  const { workflow_id, step: workflow_step, execution_id, arguments: sent, arguments_digest } = request
  if (workflow_id === undefined) return {}
  const named = { workflow_id, workflow_step, ...(execution_id !== undefined && { execution_id }) }
  if (sent === undefined && arguments_digest === undefined) return named
  const more = {
    ...(sent !== undefined && { arguments: sent }),
    ...(arguments_digest !== undefined && { arguments_digest }),
  }
  return { authorization_details: [{ type: WORKFLOW_STEP_TYPE, ...named, ...more }] }
}

/** Claims of a delegation from the holder of a minted token to another agent of the client; the same rights, 600 s. */
export function delegationClaims(
  app: TestApp,
  client: GivenClient,
  parent: AccessTokenClaims,
  to: GivenAgent,
  overrides: Partial<DelegationClaims> & { readonly above?: string } = {},
): DelegationClaims {
  const { above, ...rest } = overrides
  const iat = app.clock.seconds()
  const { execution_id, workflow_step, executed_by = '' } = parent.intent ?? {}
  return {
    iss: agentSubject(client.client_id, executed_by),
    sub: agentSubject(client.client_id, to.agent_id),
    aud: app.issuer,
    parent_jti: parent.jti,
    ...(above !== undefined && { prev: delegationDigest(above) }),
    jkt: to.key.jkt,
    scope: parent.scope,
    resource: [parent.aud],
    ...(workflow_step !== undefined && { workflow_step }),
    ...(execution_id !== undefined && { execution_id }),
    iat,
    exp: iat + 600,
    jti: app.ctx.randomId(),
    ...rest,
  }
}

/** Signs whatever claims are given, by the delegator's key. */
export async function signedDelegation(key: TestKey, claims: object, header: object = {}): Promise<string> {
  return await signJws(key, { typ: 'delegation+jwt', alg: key.alg, jwk: key.jwk, ...header }, { ...claims })
}
