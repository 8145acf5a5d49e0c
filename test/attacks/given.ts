import { createHash, randomUUID } from 'node:crypto'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import { clientCreateSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { resourceCreateSchema } from '../../src/protocol/resource.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { Caller } from '../../src/server/caller.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { createClient } from '../../src/server/registry/clients.ts'
import { createResource } from '../../src/server/registry/resources.ts'
import { registerWorkflow } from '../../src/server/registry/workflows.ts'
import { type TestKey, testKey } from '../protocol/forge.ts'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'

export const READ_API = 'https://read.example.com'
export const WRITE_API = 'https://write.example.com'
export const DRAFT_API = 'https://draft.example.com'

export type GivenClient = {
  readonly client_id: string
  readonly key: TestKey
  /** Signs DPoP proofs of the client's own tokens. */
  readonly dpopKey: TestKey
  readonly client_secret?: string
}

export type GivenAgent = {
  readonly client: GivenClient
  readonly agent_id: string
  readonly registration_id: string
  readonly checksum: string
  readonly key: TestKey
}

export type World = {
  readonly app: TestApp
  readonly ctx: Context
  readonly client: GivenClient
  /** No workflow assigns it: it may ask without one. */
  readonly solo: GivenAgent
  readonly planner: GivenAgent
  readonly worker: GivenAgent
}

const OPERATOR: Caller = {
  client_id: 'operator',
  sub: 'operator',
  acting_owner: 'user:local:operator',
  scope: ADMIN_SCOPES,
  registers_for: [],
  request_id: 'given',
  address: '127.0.0.1',
}

/** Steps of workflow `patch`: plan (planner), gate, apply (worker, protected), report (worker, after apply). */
const STEPS = [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'gate', approval_gate: true, required: true },
  { step_id: 'apply', agent_id: 'worker', required: true, requires_approval: true },
  { step_id: 'report', agent_id: 'worker', dependencies: ['apply'] },
]

/**
 * A server with two APIs, a draft API, one client (with these policies) with three agents, and a workflow of two of them.
 */
export async function givenWorld(options: TestAppOptions = {}, policies: object = {}): Promise<World> {
  const app = await startTestApp(options)
  const { ctx } = app
  await givenResource(ctx, {
    resource: READ_API,
    scopes: [{ name: 'read' }, { name: 'write' }, { name: 'deploy', workflow: true }, { name: 'pay', approval: true }],
  })
  await givenResource(ctx, { resource: WRITE_API, scopes: [{ name: 'read' }, { name: 'write' }] })
  await givenResource(ctx, { resource: DRAFT_API, scopes: [{ name: 'read' }], token_profile: 'draft' })
  const client = await givenClient(ctx, 'patcher', { policies })
  const solo = await givenAgent(ctx, client, 'solo')
  const planner = await givenAgent(ctx, client, 'planner')
  const worker = await givenAgent(ctx, client, 'worker')
  await givenWorkflow(ctx, client, 'patch', STEPS)
  return { app, ctx, client, solo, planner, worker }
}

export async function givenResource(ctx: Context, body: object): Promise<void> {
  await transaction(ctx, tx => createResource(tx, OPERATOR, resourceCreateSchema.parse(body)))
}

const keys: { client?: TestKey; dpop?: TestKey } = {}

/** A client: `read` on one API, `write` on the other; the members of `overrides` replace those of its record. */
export async function givenClient(
  ctx: Context,
  client_id: string = `app-${randomUUID().slice(0, 8)}`,
  overrides: object = {},
): Promise<GivenClient> {
  keys.client ??= testKey('ES256')
  keys.dpop ??= testKey('ES256')
  const { client: key, dpop: dpopKey } = keys
  const body = clientCreateSchema.parse({
    client_id,
    client_name: client_id,
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'private_key_jwt',
    ...(!('token_endpoint_auth_method' in overrides) && { jwks: { keys: [key.jwk] } }),
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT],
    access: [
      { resource: READ_API, scope: 'read deploy pay' },
      { resource: WRITE_API, scope: 'write' },
      { resource: DRAFT_API, scope: 'read' },
      { resource: ctx.config.issuer, scope: 'generate:intent-token register:intent' },
    ],
    ...overrides,
  })
  const created = await transaction(ctx, tx => createClient(tx, OPERATOR, body))
  const { client_secret } = created.body
  return { client_id, key, dpopKey, ...(client_secret !== undefined && { client_secret }) }
}

export type AgentOptions = {
  readonly prompt?: string
  readonly key?: TestKey
  /** Members of the grant that replace those of the usual one. */
  readonly grant?: object
}

export async function givenAgent(
  ctx: Context,
  client: GivenClient,
  agent_id: string,
  options: AgentOptions = {},
): Promise<GivenAgent> {
  const { prompt = `You are ${agent_id}.`, key = testKey('ES256'), grant } = options
  const access = [
    { resource: READ_API, scope: 'read deploy pay' },
    { resource: WRITE_API, scope: 'write' },
    { resource: DRAFT_API, scope: 'read' },
  ]
  const body = agentRegistrationSchema.parse({
    app_id: client.client_id,
    agent_components: { agent_id, prompt_template: prompt, tools: [] },
    public_key: key.jwk,
    grant: { access, ...grant },
  })
  const caller = { ...OPERATOR, client_id: client.client_id, sub: client.client_id, scope: ['register:intent'] }
  const { registration_id, checksum } = (await transaction(ctx, tx => registerAgent(tx, caller, body))).body
  return { client, agent_id, registration_id, checksum, key }
}

export async function givenWorkflow(
  ctx: Context,
  client: GivenClient,
  workflow_id: string,
  steps: readonly object[],
): Promise<void> {
  const caller = { ...OPERATOR, client_id: client.client_id, sub: client.client_id, scope: ['register:workflow'] }
  const body = workflowRegistrationSchema.parse({ workflow_id, steps })
  await transaction(ctx, tx => registerWorkflow(tx, caller, body))
}

/** RFC 7638 thumbprint of a key. */
export async function thumbprint(key: TestKey): Promise<string> {
  return (await importPublicJwk(key.jwk)).jkt
}

/** `ath` of an access token (RFC 9449 section 4.2). */
export function tokenHash(access_token: string): string {
  return createHash('sha256').update(access_token).digest('base64url')
}
