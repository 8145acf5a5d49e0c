import { randomUUID } from 'node:crypto'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { isJsonObject, type JsonObject } from '../../src/protocol/json.ts'
import { forge, type TestKey } from '../protocol/forge.ts'
import { type GivenAgent, type GivenClient, READ_API, type World } from './given.ts'

/** A JWS to be signed when the attempt is sent; undefined members are left out. */
export type Unsigned = { key: TestKey; header: Record<string, unknown>; payload: Record<string, unknown> }

/** A request that would succeed, to be spoilt in one place. */
export type Attempt = {
  path: string
  client: GivenClient
  params: Record<string, unknown>
  headers: Record<string, string | undefined>
  assertion?: Unsigned | undefined
  proof?: Unsigned | undefined
  /** Sent as it is, instead of `params`. */
  body?: string | Buffer
  /** Raw names and values after all others: repeats what an object cannot. */
  extraHeaders?: readonly string[]
  method?: string
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: JsonObject
  readonly text: string
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function assertionOf(world: World, { client_id, key }: GivenClient): Unsigned {
  const iat = world.app.clock.seconds()
  return {
    key,
    header: { typ: 'client-authentication+jwt', alg: key.alg },
    payload: { iss: client_id, sub: client_id, aud: world.app.issuer, iat, exp: iat + 60, jti: randomUUID() },
  }
}

export function proofOf(world: World, key: TestKey, path: string): Unsigned {
  const iat = world.app.clock.seconds()
  return {
    key,
    header: { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk },
    payload: { jti: randomUUID(), htm: 'POST', htu: `${world.app.issuer}${path}`, iat },
  }
}

/** client_credentials at /oauth/token, for `read` on one API. */
export function clientCredentials(world: World, client: GivenClient = world.client): Attempt {
  const path = '/oauth/token'
  return {
    path,
    client,
    params: { grant_type: CLIENT_CREDENTIALS_GRANT, scope: 'read', resource: READ_API },
    headers: {},
    ...authentication(world, client),
    proof: proofOf(world, client.dpopKey, path),
  }
}

/** The agent grant at one of the two token endpoints. */
export function agentGrant(world: World, path: '/oauth/token' | '/intent/token', agent: GivenAgent): Attempt {
  const { agent_id, checksum, client, key } = agent
  const target =
    path === '/oauth/token'
      ? { scope: 'read', resource: READ_API }
      : { requested_scopes: ['read'], audience: READ_API, workflow_enabled: false }
  return {
    path,
    client,
    params: { grant_type: 'agent_checksum', agent_id, computed_checksum: `sha256:${checksum}`, ...target },
    headers: {},
    ...authentication(world, client),
    proof: proofOf(world, key, path),
  }
}

/** Introspection or revocation of a token. */
export function tokenRequest(
  world: World,
  path: '/oauth/introspect' | '/oauth/revoke',
  client: GivenClient,
  token: string,
): Attempt {
  return { path, client, params: { token }, headers: {}, ...authentication(world, client) }
}

function authentication(world: World, client: GivenClient): { assertion?: Unsigned } {
  return client.client_secret === undefined ? { assertion: assertionOf(world, client) } : {}
}

const connections = new Agent({ keepAlive: true })

/** Signs what is to be signed and sends. `port`: another node of the same issuer. */
export async function send(world: World, attempt: Attempt, port?: number): Promise<Answer> {
  const { host, port: own } = new URL(world.app.issuer)
  const { headers, body } = requestOf(attempt)
  const raw = ['Host', host, ...headers]
  return await exchange(port ?? Number(own), attempt.path, raw, body, attempt.method)
}

/** One request to a port of this machine; headers are raw names and values, Host among them. */
export async function exchange(
  port: number,
  path: string,
  headers: readonly string[],
  body: string | Buffer,
  method = 'POST',
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const raw = [...headers, 'Content-Length', String(Buffer.byteLength(body))]
  const sent = request({ host: '127.0.0.1', port, path, method, headers: raw, agent: connections }, async response => {
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed(text), text })
  })
  sent.on('error', reject)
  sent.end(body)
  return await promise
}

/** Headers (raw) and body as they go out. */
export function requestOf(attempt: Attempt): { headers: string[]; body: string | Buffer } {
  const { assertion, proof, client } = attempt
  const params: Record<string, unknown> = {
    ...(assertion && { client_assertion_type: ASSERTION_TYPE, client_assertion: signed(assertion) }),
    ...(!assertion && client.client_secret !== undefined && { client_secret: client.client_secret }),
    ...(!assertion && client.client_secret !== undefined && { client_id: client.client_id }),
    ...attempt.params,
  }
  const isJson = attempt.path.startsWith('/intent/')
  const headers = {
    'Content-Type': isJson ? 'application/json' : 'application/x-www-form-urlencoded',
    ...(proof && { DPoP: signed(proof) }),
    ...attempt.headers,
  }
  const raw = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))
  const body = attempt.body ?? (isJson ? JSON.stringify(params) : form(params))
  return { headers: [...raw, ...(attempt.extraHeaders ?? [])], body }
}

export function signed({ header, payload, key }: Unsigned): string {
  return forge(header, payload, key)
}

/** A form: what is no text goes as JSON text (protocol.md section 2). */
export function form(params: Record<string, unknown>): string {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  const entries = Object.entries(params).filter(([, value]) => value !== undefined)
  return new URLSearchParams(entries.map(([name, value]) => [name, text(value)])).toString()
}

function parsed(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}
