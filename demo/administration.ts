import type { JsonObject } from '../src/protocol/json.ts'
import type { ServerMetadata } from '../src/protocol/metadata.ts'
import type { HolderKey } from '../src/protocol/sign.ts'
import { generateKey } from './agents.ts'
import { type Answer, expectStatus, RemitClient, send } from './remit-client.ts'

/** An administrator's client with its token; every call carries a proof by its own key. */
export class Operator {
  readonly client: RemitClient
  readonly #adminUrl: string
  readonly #access_token: string

  constructor(client: RemitClient, adminUrl: string, access_token: string) {
    this.client = client
    this.#adminUrl = adminUrl
    this.#access_token = access_token
  }

  /** POST to the admin API, whatever it answers. */
  async post(path: string, body: object): Promise<Answer> {
    return await this.client.call('POST', `${this.#adminUrl}/admin/v1${path}`, this.#access_token, body)
  }

  /** GET of the admin API that must succeed. */
  async read(path: string): Promise<JsonObject> {
    return expectStatus(await this.client.call('GET', `${this.#adminUrl}/admin/v1${path}`, this.#access_token), 200)
  }

  /** POST to the admin API that must succeed. */
  async create(path: string, body: object): Promise<void> {
    expectStatus(await this.post(path, body), 201)
  }
}

type Server = { readonly metadata: ServerMetadata; readonly adminUrl: string }

/** Becomes the first administrator with the server's one-time token. */
export async function bootstrap(server: Server, token: string, key: HolderKey): Promise<string> {
  const answer = await tryBootstrap(server, token, key)
  return String(expectStatus(answer, 201).client_id)
}

/** Presents the one-time token, whatever the server says to that. */
export async function tryBootstrap({ adminUrl }: Server, token: string, key: HolderKey): Promise<Answer> {
  const body = { client_name: 'Anna, operations', owner: 'user:local:anna', jwks: { keys: [key.publicJwk] } }
  return await send('POST', `${adminUrl}/admin/v1/bootstrap`, { Authorization: `Bearer ${token}` }, body)
}

/** Gets an administrator's token for these scopes of the admin API. */
export async function logIn(server: Server, client_id: string, key: HolderKey, scope: string): Promise<Operator> {
  const client = new RemitClient(server.metadata, client_id, key)
  return new Operator(client, server.adminUrl, await client.clientToken(adminAudience(server), scope))
}

/** Registers a client that authenticates by a key of its own. */
export async function createClient(
  operator: Operator,
  { metadata }: Server,
  client: { readonly client_id: string } & Readonly<Record<string, unknown>>,
  ownKey?: HolderKey,
): Promise<{ client: RemitClient; key: HolderKey }> {
  const key = ownKey ?? (await generateKey())
  const authentication = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.publicJwk] } }
  await operator.create('/clients', { ...authentication, ...client })
  return { client: new RemitClient(metadata, client.client_id, key), key }
}

/** The audience of the admin API, which is not its address. */
export function adminAudience({ metadata }: Server): string {
  return `${metadata.issuer}/admin`
}
