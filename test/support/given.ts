import { randomUUID } from 'node:crypto'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { clientCreateSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { resourceCreateSchema } from '../../src/protocol/resource.ts'
import type { Caller } from '../../src/server/caller.ts'
import { transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { createClient } from '../../src/server/registry/clients.ts'
import { createResource } from '../../src/server/registry/resources.ts'
import type { TestApp } from './app.ts'
import { generateKey, signAssertion, signProof, type TestKey } from './dpop.ts'

/** A client with `private_key_jwt`; `dpopKey` signs the proofs of its own tokens. */
export type GivenClient = { readonly client_id: string; readonly key: TestKey; readonly dpopKey: TestKey }

const OPERATOR: Caller = {
  client_id: 'operator',
  sub: 'operator',
  acting_owner: 'user:local:operator',
  scope: ADMIN_SCOPES,
  registers_for: [],
  request_id: 'given',
  address: '127.0.0.1',
}

/** A client made by the registry itself; `overrides` replace members of the usual request. */
export async function givenClient(app: TestApp, overrides: object = {}): Promise<GivenClient> {
  const key = await generateKey()
  const client_id = `app-${randomUUID().slice(0, 8)}`
  const body = clientCreateSchema.parse({
    client_id,
    client_name: client_id,
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT],
    access: [{ resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow read:agents' }],
    ...overrides,
  })
  await transaction(app.ctx, tx => createClient(tx, OPERATOR, body))
  return { client_id: body.client_id ?? client_id, key, dpopKey: await generateKey() }
}

/** An operator with every admin scope. */
export async function givenAdmin(app: TestApp, overrides: object = {}): Promise<GivenClient> {
  const access = [{ resource: `${app.issuer}/admin`, scope: ADMIN_SCOPES.join(' ') }]
  return await givenClient(app, { kind: 'operator', owner: 'user:local:otto', access, ...overrides })
}

export async function givenResource(app: TestApp, body: object): Promise<void> {
  await transaction(app.ctx, tx => createResource(tx, OPERATOR, resourceCreateSchema.parse(body)))
}

/** An active agent with one registered key; members of `overrides` replace those of the registration. */
export async function givenAgent(app: TestApp, client: GivenClient, agent_id: string, overrides: object = {}) {
  const key = await generateKey()
  const body = agentRegistrationSchema.parse({
    app_id: client.client_id,
    agent_components: { agent_id, prompt_template: `You are ${agent_id}.`, tools: [] },
    public_key: key.jwk,
    ...overrides,
  })
  const caller = { ...OPERATOR, client_id: client.client_id, sub: client.client_id }
  const { registration_id, checksum } = (await transaction(app.ctx, tx => registerAgent(tx, caller, body))).body
  return { agent_id, key, registration_id, checksum }
}

/** An access token by client_credentials, over HTTP; bound to the client's DPoP key unless `bearer`. */
export async function accessToken(
  app: TestApp,
  client: GivenClient,
  target: { resource: string; scope: string; bearer?: boolean },
): Promise<string> {
  const { issuer, clock } = app
  const iat = clock.seconds()
  const body = new URLSearchParams({
    grant_type: CLIENT_CREDENTIALS_GRANT,
    resource: target.resource,
    scope: target.scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(client.key, { client_id: client.client_id, issuer, iat }),
  })
  const htu = `${issuer}/oauth/token`
  const headers: Record<string, string> = target.bearer ? {} : { dpop: await signProof(client.dpopKey, { htu, iat }) }
  const response = await fetch(htu, { method: 'POST', headers, body })
  const answer: unknown = await response.json()
  if (typeof answer === 'object' && answer !== null && 'access_token' in answer) return String(answer.access_token)
  throw new Error(`No token was issued: ${JSON.stringify(answer)}`)
}

/** Headers of one request with a bound token. */
export async function boundHeaders(
  app: TestApp,
  client: GivenClient,
  token: string,
  request: { method: string; url: string },
): Promise<Record<string, string>> {
  const proof = { htm: request.method, htu: request.url, iat: app.clock.seconds(), accessToken: token }
  return { authorization: `DPoP ${token}`, dpop: await signProof(client.dpopKey, proof) }
}
