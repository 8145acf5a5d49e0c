import { type Answer, clientCredentials, exchange, proofOf, send, signed } from './attempt.ts'
import { type GivenClient, givenClient, tokenHash, type World } from './given.ts'

/** An administrator with a token, who calls the admin API over HTTP. */
export type Administrator = {
  readonly client: GivenClient
  readonly call: (method: string, path: string, body?: object) => Promise<Answer>
}

export async function givenAdministrator(
  world: World,
  owner: string,
  scope = 'approve:agents revoke',
): Promise<Administrator> {
  const { adminAudience } = world.ctx.config
  const client = await givenClient(world.ctx, undefined, { owner, access: [{ resource: adminAudience, scope }] })
  const asked = clientCredentials(world, client)
  asked.params = { ...asked.params, scope, resource: adminAudience }
  const token = String((await send(world, asked)).body.access_token)
  return { client, call: (method, path, body) => callAdmin(world, client, token, { method, path, body }) }
}

async function callAdmin(
  world: World,
  client: GivenClient,
  token: string,
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Promise<Answer> {
  const { adminUrl } = world.app
  const target = `/admin/v1${path}`
  const proof = proofOf(world, client.dpopKey, target)
  Object.assign(proof.payload, { htm: method, htu: `${adminUrl}${target.split('?', 1)[0]}`, ath: tokenHash(token) })
  const { host, port } = new URL(adminUrl)
  const headers = ['Host', host, 'Authorization', `DPoP ${token}`, 'DPoP', signed(proof)]
  const type = body === undefined ? [] : ['Content-Type', 'application/json']
  return await exchange(Number(port), target, [...headers, ...type], body ? JSON.stringify(body) : '', method)
}
