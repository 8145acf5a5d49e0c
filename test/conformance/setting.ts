import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { beforeEach } from 'node:test'
import { z } from 'zod'
import { startTestApp, type TestApp } from '../support/app.ts'
import { generateKey, signAssertion, signProof, type TestKey } from '../support/dpop.ts'
import { type Answer, postForm, postJson } from './http.ts'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const AGENT_GRANT = 'urn:ietf:params:oauth:grant-type:agent_checksum'
export const ADMIN_SCOPE = 'admin:clients admin:resources approve:agents revoke'

/** A client that authenticates by `private_key_jwt`; its DPoP proofs use the same key. */
export type KeyClient = { readonly client_id: string; readonly key: TestKey }
export type SecretClient = { readonly client_id: string; readonly client_secret: string }
export type Agent = {
  readonly agent_id: string
  readonly checksum: string
  readonly registration_id: string
  readonly key: TestKey
}

/** A server on TCP with its first administrator, set up through its own HTTP APIs and nothing else. */
export type Setting = {
  readonly app: TestApp
  readonly issuer: string
  readonly administrator: KeyClient
  readonly createResource: (body: Readonly<Record<string, unknown>>) => Promise<void>
  readonly createTrustedIssuer: (body: Readonly<Record<string, unknown>>) => Promise<void>
  readonly createKeyClient: (body: ClientBody) => Promise<KeyClient>
  readonly createSecretClient: (body: ClientBody) => Promise<SecretClient>
  /** Registers an agent of `client`, by a token of `registrar` where that is another one. */
  readonly registerAgent: (client: KeyClient, body: AgentBody, registrar?: KeyClient) => Promise<Agent>
  readonly registerWorkflow: (client: KeyClient, body: Readonly<Record<string, unknown>>) => Promise<void>
}

export type ClientBody = {
  readonly access: readonly { readonly resource: string; readonly scope: string }[]
  readonly [member: string]: unknown
}

export type AgentBody = {
  readonly agent_id: string
  readonly grant: unknown
  readonly key: TestKey
}

const tokenSchema = z.looseObject({ access_token: z.string() })
const createdSchema = z.looseObject({ client_id: z.string(), client_secret: z.string().optional() })
const registeredSchema = z.object({
  agent_id: z.string(),
  registration_id: z.string(),
  checksum: z.string(),
  version: z.number(),
  status: z.literal('active'),
})

/** Starts a server. Its clock is set to the machine's before each test: stock clients know no other. */
export async function startSetting(env: Readonly<Record<string, string>> = {}): Promise<Setting> {
  const app = await startTestApp({ env })
  const { issuer, adminUrl } = app
  beforeEach(() => followClock(app))
  const administrator = await bootstrap(app)
  const adminToken = await clientToken(app, administrator, { scope: ADMIN_SCOPE, resource: `${issuer}/admin` }, true)

  async function admin(path: string, body: unknown): Promise<unknown> {
    const url = `${adminUrl}/admin/v1${path}`
    const proof = await signProof(administrator.key, { htu: url, iat: app.clock.seconds(), accessToken: adminToken })
    return expectDone(await postJson(url, body, { authorization: `DPoP ${adminToken}`, dpop: proof }))
  }
  async function createClient(body: ClientBody): Promise<z.output<typeof createdSchema>> {
    return createdSchema.parse(await admin('/clients', { ...CLIENT_DEFAULTS, ...body }))
  }
  return {
    app,
    issuer,
    administrator,
    async createResource(body) {
      await admin('/resources', body)
    },
    async createTrustedIssuer(body) {
      await admin('/trusted-issuers', body)
    },
    async createKeyClient(body) {
      const key = await generateKey()
      const jwks = { keys: [key.jwk] }
      const { client_id } = await createClient({ token_endpoint_auth_method: 'private_key_jwt', jwks, ...body })
      return { client_id, key }
    },
    async createSecretClient(body) {
      const { client_id, client_secret = '' } = await createClient(body)
      return { client_id, client_secret }
    },
    async registerAgent(client, { agent_id, grant, key }, registrar = client) {
      const token = await clientToken(app, registrar, { scope: 'register:intent', resource: issuer })
      const body = { app_id: client.client_id, agent_components: components(agent_id), grant, public_key: key.jwk }
      const url = `${issuer}/intent/register/agent`
      const answer = expectDone(await postJson(url, body, { authorization: `Bearer ${token}` }))
      const { checksum, registration_id } = registeredSchema.parse(answer)
      return { agent_id, checksum, registration_id, key }
    },
    async registerWorkflow(client, body) {
      const token = await clientToken(app, client, { scope: 'register:workflow', resource: issuer })
      const url = `${issuer}/intent/register/workflow`
      expectDone(await postJson(url, body, { authorization: `Bearer ${token}` }))
    },
  }
}

/** A client_credentials token of a key client; Bearer, or bound to the client's key. */
export async function clientToken(
  app: TestApp,
  client: KeyClient,
  form: { readonly scope: string; readonly resource: string },
  bound = false,
): Promise<string> {
  const url = `${app.issuer}/oauth/token`
  const sent = { grant_type: 'client_credentials', ...form, ...(await assertionOf(app, client)) }
  const headers = bound ? await proofHeader(app, client.key, url) : {}
  return tokenSchema.parse(expectDone(await postForm(url, sent, headers))).access_token
}

/** The two parameters by which a key client authenticates (RFC 7523 section 2.2). */
export async function assertionOf(app: TestApp, { client_id, key }: KeyClient) {
  const client_assertion = await signAssertion(key, { client_id, issuer: app.issuer, iat: app.clock.seconds() })
  return { client_assertion_type: ASSERTION_TYPE, client_assertion }
}

/** The DPoP header of a request to the token endpoint (RFC 9449 section 5). */
export async function proofHeader(app: TestApp, key: TestKey, htu: string): Promise<Record<string, string>> {
  return { dpop: await signProof(key, { htu, iat: app.clock.seconds() }) }
}

export function components(agent_id: string) {
  return {
    agent_id,
    prompt_template: 'You patch one vulnerability at a time.',
    tools: [{ name: 'apply_patch', description: 'Applies a patch.', parameters: { type: 'object' } }],
    configuration: { temperature: 0 },
  }
}

/** Sets the server's clock, which stands still, to the machine's. */
export function followClock({ clock }: TestApp): void {
  clock.advance(Math.floor(Date.now() / 1000) - clock.seconds())
}

const CLIENT_DEFAULTS = {
  client_name: 'Patcher',
  owner: 'user:local:anna',
  kind: 'app',
  grant_types: ['client_credentials', 'agent_checksum'],
}

async function bootstrap({ adminUrl, ctx }: TestApp): Promise<KeyClient> {
  const key = await generateKey()
  const token = randomBytes(32).toString('base64url')
  await writeFile(ctx.config.bootstrapTokenFile, token, { mode: 0o600 })
  const body = { client_name: 'First administrator', jwks: { keys: [key.jwk] }, owner: 'user:local:root' }
  const answer = await postJson(`${adminUrl}/admin/v1/bootstrap`, body, { authorization: `Bearer ${token}` })
  const { client_id } = createdSchema.parse(expectDone(answer))
  return { client_id, key }
}

function expectDone({ status, body }: Answer): unknown {
  if (status === 200 || status === 201) return body
  throw new Error(`Setting up was answered ${status}: ${JSON.stringify(body)}`)
}
