import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Agent, generateKey, makeAgent } from '../demo/agents.ts'
import { type Defer, freePort } from '../demo/remit-server.ts'
import type { JsonObject } from '../src/protocol/json.ts'
import { ADMIN_SCOPES } from '../src/protocol/own-resources.ts'
import { ask } from './ask.ts'
import { RemitNode } from './node.ts'
import { expect, Party, type Site } from './party.ts'
import { PostgresServer } from './postgres.ts'
import { FaultProxy } from './proxy.ts'

/** One Postgres, a proxy in front of it, nodes that reach it through that proxy, and who speaks to them. */
export type World = {
  readonly dir: string
  readonly defer: Defer
  readonly postgres: PostgresServer
  readonly proxy: FaultProxy
  readonly site: Site
  readonly nodes: readonly RemitNode[]
  /** The first administrator, and one with another owner, who may approve. */
  readonly anna: Party
  readonly otto: Party
  /** An app that may register and mint; its agent `solo` mints for `API`. */
  readonly app: Party
  readonly solo: Agent
}

export type WorldOptions = {
  readonly nodes?: number
  readonly postgres?: Readonly<Record<string, string>>
  /** Where Postgres keeps its files, when not below `dir`. */
  readonly postgresDir?: string
  /** Further variables of every node. */
  readonly env?: Readonly<Record<string, string>>
  /** The port that the issuer names: a balancer's. */
  readonly issuerPort?: number
}

export const API = 'https://api.faults.example'
const NO_TOOLS = { server: 'none', version: '0', tools: [] }
/** Executions of the suite are long and wide. */
const LIMITS = { max_tokens: 1_000, max_children: 256, max_nodes: 10_000 }

/** Starts all of it in `dir`, which must exist. */
export async function startWorld(dir: string, defer: Defer, options: WorldOptions = {}): Promise<World> {
  const postgres = await PostgresServer.create(options.postgresDir ?? join(dir, 'postgres'), defer, options.postgres)
  const proxy = await FaultProxy.start(postgres.port)
  defer(() => proxy.stop())
  const issuer = `http://127.0.0.1:${options.issuerPort ?? (await freePort())}`
  const site = { issuer, adminUrl: `http://127.0.0.1:${await freePort()}` }
  const dataDir = join(dir, 'data')
  await mkdir(dataDir, { mode: 0o711 })
  await writeFile(join(dataDir, 'kek'), `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const nodes: RemitNode[] = []
  for (let n = 0; n < (options.nodes ?? 1); n += 1) {
    const node = await makeNode(site, dataDir, postgres.url(proxy.port), options.env)
    defer(() => node.kill())
    await node.start()
    nodes.push(node)
  }
  const [first] = nodes
  if (!first) throw new Error('A world has a node.')
  const people = await populate(first, site, join(dataDir, 'bootstrap-token'))
  return { dir, defer, postgres, proxy, site, nodes, ...people }
}

/** A further node of a site, not started. */
export async function makeNode(
  site: Site,
  dataDir: string,
  DATABASE_URL: string,
  more: Readonly<Record<string, string>> = {},
): Promise<RemitNode> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const env = { DATABASE_URL, REMIT_ISSUER: site.issuer, REMIT_ADMIN_URL: site.adminUrl, ...more }
  return new RemitNode({ port, adminPort, dataDir, env })
}

async function populate(
  node: RemitNode,
  site: Site,
  tokenFile: string,
): Promise<Pick<World, 'anna' | 'otto' | 'app' | 'solo'>> {
  const key = await generateKey()
  const token = (await readFile(tokenFile, 'utf8')).trim()
  const { client_id } = expect(
    await ask(node.settings.adminPort, {
      method: 'POST',
      path: '/admin/v1/bootstrap',
      headers: {
        Host: new URL(site.adminUrl).host,
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ client_name: 'Anna', owner: 'user:local:anna', jwks: { keys: [key.publicJwk] } }),
    }),
    201,
  )
  const anna = new Party(site, String(client_id), key)
  const admin = [{ resource: `${site.issuer}/admin`, scope: ADMIN_SCOPES.join(' ') }]
  const otto = await addClient(node, anna, 'otto', { kind: 'operator', owner: 'user:local:otto', access: admin })
  expect(await anna.administer(node, '/resources', { resource: API, scopes: [{ name: 'read' }] }), 201)
  const app = await addApp(node, anna, 'app')
  const solo = await addAgent(node, app, 'solo')
  return { anna, otto, app, solo }
}

/** Registers a client with a key of its own. */
export async function addClient(node: RemitNode, anna: Party, client_id: string, more: JsonObject): Promise<Party> {
  const key = await generateKey()
  const body = {
    client_id,
    client_name: client_id,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...key.publicJwk }] },
    grant_types: ['client_credentials', 'agent_checksum'],
    ...more,
  }
  expect(await anna.administer(node, '/clients', body), 201)
  return new Party(anna.site, client_id, key)
}

/** Registers a client that hosts agents; it has rights on `API` unless told. */
export async function addApp(
  node: RemitNode,
  anna: Party,
  client_id: string,
  policies: JsonObject = {},
  access: JsonObject[] = usualAccess(anna.site),
): Promise<Party> {
  const more = { kind: 'app', owner: 'user:local:ben', access, policies: { limits: LIMITS, ...policies } }
  return await addClient(node, anna, client_id, more)
}

function usualAccess({ issuer }: Site): JsonObject[] {
  const own = 'generate:intent-token register:intent register:workflow'
  return [
    { resource: API, scope: 'read' },
    { resource: issuer, scope: own },
  ]
}

/** Registers an agent of an app, with rights on `API`. */
export async function addAgent(node: RemitNode, app: Party, agent_id: string, resource = API): Promise<Agent> {
  const agent = await makeAgent(agent_id, `You are ${agent_id}.`, NO_TOOLS)
  expect(await app.register(node, '/intent/register/agent', registration(app, agent, resource)), 200)
  return agent
}

/** The body that registers an agent. */
export function registration(app: Party, agent: Agent, resource = API) {
  return {
    app_id: app.client_id,
    agent_components: agent.components,
    public_key: agent.key.publicJwk,
    grant: { access: [{ resource, scope: 'read' }] },
  }
}

/** A fresh agent, not registered. */
export async function newAgent(agent_id: string): Promise<Agent> {
  return await makeAgent(agent_id, `You are ${agent_id}.`, NO_TOOLS)
}
