import { clientCredentials, exchange, send } from '../attacks/attempt.ts'
import { type GivenAgent, givenAgent, givenWorld, type World } from '../attacks/given.ts'
import type { TestApp } from '../support/app.ts'
import { type GivenClient, givenAdmin, givenClient } from '../support/given.ts'
import { type Call, caller } from './given.ts'
import { createWitness, type Person, type Witness } from './witness.ts'

/** Who has a part in the run: each with a client of their own, and three different people. */
export type Scene = {
  readonly world: World
  readonly app: TestApp
  readonly witness: Witness
  readonly admin: GivenClient
  readonly asAdmin: Person
  /** The administrator with a token that only reads the trail. */
  readonly asAuditor: Person
  /** Whose agents wait for an approval. */
  readonly asRegistrar: Person
  /** The client whose agents mint. */
  readonly asApp: Person
  /** No workflow assigns it. */
  readonly helper: GivenAgent
}

export async function givenScene(): Promise<Scene> {
  const world = await givenWorld()
  const { app, ctx, client } = world
  const admin = await givenAdmin(app)
  const owner = 'user:local:rita'
  const registrar = await givenClient(app, { owner, policies: { require_approval: true } })
  const ofAdmin = { client_id: admin.client_id, owner: 'user:local:otto' }
  return {
    world,
    app,
    witness: createWitness(world),
    admin,
    asAdmin: { call: caller(app, admin, 'admin'), ...ofAdmin },
    asAuditor: { call: caller(app, admin, 'admin', 'audit:read'), ...ofAdmin },
    asRegistrar: {
      call: caller(app, registrar, 'issuer', 'register:intent read:agents'),
      client_id: registrar.client_id,
      owner,
    },
    asApp: { call: bearerCaller(world), client_id: client.client_id, owner: 'user:local:anna' },
    helper: await givenAgent(ctx, client, 'helper'),
  }
}

/** Our own API with one Bearer token of the client, which is asked for at the first call. */
function bearerCaller(world: World): Call {
  let token: string | undefined
  return async (method, path, body) => {
    token ??= await bearerToken(world)
    const { host, port } = new URL(world.app.issuer)
    const type = body === undefined ? [] : ['Content-Type', 'application/json']
    const headers = ['Host', host, 'Authorization', `Bearer ${token}`, ...type]
    const json = body === undefined ? '' : JSON.stringify(body)
    const answer = await exchange(Number(port), path, headers, json, method)
    return { status: answer.status, body: { ...answer.body }, request_id: String(answer.headers['x-request-id']) }
  }
}

async function bearerToken(world: World): Promise<string> {
  const asked = { ...clientCredentials(world), proof: undefined }
  asked.params = { ...asked.params, scope: 'generate:intent-token', resource: world.app.issuer }
  return String((await send(world, asked)).body.access_token)
}
