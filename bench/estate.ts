import { z } from 'zod'
import { bootstrap, createClient, logIn, type Operator } from '../demo/administration.ts'
import { expectStatus, type RemitClient } from '../demo/remit-client.ts'
import { agentChecksum } from '../src/protocol/checksum.ts'
import { type BenchKey, generateBenchKey, type SigningKey } from './load/signer.ts'
import type { RemitPeer } from './peers/remit.ts'

/** What is registered at Remit before anything is measured, with the keys of all that signs. */
export type Estate = {
  readonly app: RemitClient
  readonly appKey: BenchKey
  readonly agents: { readonly solo: OwnAgent; readonly lead: OwnAgent; readonly hand: OwnAgent }
  readonly introspectors: { readonly basic: string; readonly jwtKey: BenchKey }
}

export type BenchAgent = { readonly agent_id: string; readonly checksum: string; readonly key: SigningKey }

/** One that signs delegations, too. */
type OwnAgent = BenchAgent & { readonly key: BenchKey }

export const APP = 'bench'
export const WORKFLOW = { workflow_id: 'flow', workflow_step: 'work' }
/** One API that nobody introspects for, and two whose own clients do, each by its method. */
export const API = 'https://api.bench.example'
export const API_OF_BASIC = 'https://basic.bench.example'
export const API_OF_JWT = 'https://jwt.bench.example'
export const JWT_API = 'api-jwt'
const BASIC_API = 'api-basic'
const SCOPES = [{ name: 'read' }]
const LIMITS = { max_tokens: 1_000, max_children: 256, max_nodes: 10_000 }

/** Registers a client, three agents and a workflow as a user would, over HTTP; `api` is an API that verifies tokens itself. */
export async function registerEstate(remit: RemitPeer, appKey: BenchKey, api: string): Promise<Estate> {
  const { metadata, issuer } = remit
  const adminKey = generateBenchKey()
  const administrator = await bootstrap(remit, await remit.bootstrapToken(), adminKey)
  const operator = await logIn(remit, administrator, adminKey, 'admin:clients admin:resources')
  for (const resource of [API, api]) await operator.create('/resources', { resource, scopes: SCOPES })
  const introspectors = await createIntrospectors(operator, remit)
  const access = [API, API_OF_BASIC, API_OF_JWT, api].map(resource => ({ resource, scope: 'read' }))
  const body = {
    client_id: APP,
    client_name: 'Bench',
    owner: 'user:local:ben',
    kind: 'app',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [...access, { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }],
    policies: { limits: LIMITS },
  }
  const { client: app } = await createClient(operator, remit, body, appKey)
  const token = await app.clientToken(issuer, 'register:intent register:workflow')
  const register = async (agent_id: string): Promise<OwnAgent> => {
    const agent_components = { agent_id, prompt_template: `You are ${agent_id}.`, tools: [], configuration: {} }
    const key = generateBenchKey()
    const registration = { app_id: APP, agent_components, public_key: key.publicJwk, grant: { access } }
    const answer = await app.call('POST', metadata.ajwt_agent_registration_endpoint, token, registration)
    expectStatus(answer, 200)
    return { agent_id, checksum: agentChecksum(agent_components), key }
  }
  const agents = { solo: await register('solo'), lead: await register('lead'), hand: await register('hand') }
  const steps = [{ step_id: WORKFLOW.workflow_step, agent_id: 'lead', required: true }]
  const workflow = { workflow_id: WORKFLOW.workflow_id, steps }
  expectStatus(await app.call('POST', metadata.ajwt_workflow_registration_endpoint, token, workflow), 200)
  return { app, appKey, agents, introspectors }
}

/** The clients of two APIs, which ask whether a token counts (protocol.md section 7). */
async function createIntrospectors(operator: Operator, remit: RemitPeer): Promise<Estate['introspectors']> {
  const about = { client_name: 'API', owner: 'user:local:ben', kind: 'service', grant_types: ['client_credentials'] }
  const common = { ...about, access: [{ resource: API, scope: 'read' }] }
  const basic = { ...common, client_id: BASIC_API, token_endpoint_auth_method: 'client_secret_basic' }
  const created = expectStatus(await operator.post('/clients', basic), 201)
  const { client_secret } = z.object({ client_secret: z.string() }).parse(created)
  const jwtKey = generateBenchKey()
  await createClient(operator, remit, { ...common, client_id: JWT_API }, jwtKey)
  await operator.create('/resources', { resource: API_OF_BASIC, scopes: SCOPES, client_id: BASIC_API })
  await operator.create('/resources', { resource: API_OF_JWT, scopes: SCOPES, client_id: JWT_API })
  return { basic: Buffer.from(`${BASIC_API}:${client_secret}`).toString('base64'), jwtKey }
}
