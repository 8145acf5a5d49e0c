import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { policiesSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { forge, type TestKey, testKey } from '../protocol/forge.ts'
import { freePorts } from '../support/free-ports.ts'
import { type Answer, exchange, form } from './attempt.ts'
import { thumbprint, tokenHash } from './given.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

export const API = 'https://api.example.com'
const CHECKSUM = 'a'.repeat(64)
/** Of both clients. */
export const SECRET = 'a-secret-of-the-two-node-test'
const BATCH = 250

export type GateAgent = { readonly agent_id: string; readonly key: TestKey }
export type NodeName = 'one' | 'two'
export type Asked = Readonly<Record<string, string>>
export type Revoked = { readonly kind: string; readonly id: string }

export type TwoNodes = {
  readonly issuer: string
  readonly agents: readonly GateAgent[]
  readonly db: Kysely<Database>
  /** A mint request with further parameters, its proof signed in advance. */
  readonly prepareMint: (agent: GateAgent, asked?: Asked) => (node: NodeName) => Promise<Answer>
  readonly prepareRevoke: (what: Revoked) => () => Promise<Answer>
  readonly isActive: (node: NodeName, token: string) => Promise<boolean>
  readonly killAndRestart: (node: NodeName) => Promise<void>
  readonly close: () => Promise<void>
}

/** Two `remit serve` processes of one issuer on one embedded Postgres, and agents that are ready to mint at both. */
export async function startTwoNodes(agentCount: number): Promise<TwoNodes> {
  const directory = await mkdtemp(join(tmpdir(), 'remit-gate-'))
  // A directory of its own: as root, another account must pass it.
  const dataDir = await mkdtemp(join(tmpdir(), 'remit-gate-postgres-'))
  const postgres = await startEmbeddedPostgres(dataDir)
  const { socketDir, port, user, database } = postgres
  const url = `postgresql://${user}@localhost:${port}/${database}?host=${encodeURIComponent(socketDir)}`
  const [one = 0, adminOne = 0, two = 0, adminTwo = 0] = [...(await freePorts()), ...(await freePorts())]
  const kek = join(directory, 'kek')
  await writeFile(kek, `${'5a'.repeat(32)}\n`, { mode: 0o600 })
  const issuer = `http://127.0.0.1:${one}`
  const adminUrl = `http://127.0.0.1:${adminOne}`
  const ports = { one, two }
  const start = async (name: NodeName) =>
    await startServerProcess(directory, {
      DATABASE_URL: url,
      REMIT_ISSUER: issuer,
      REMIT_ADMIN_URL: adminUrl,
      REMIT_PORT: String(ports[name]),
      REMIT_ADMIN_LISTEN: `127.0.0.1:${name === 'one' ? adminOne : adminTwo}`,
      REMIT_KEK_FILE: kek,
      REMIT_DATA_DIR: join(directory, name),
      REMIT_BOOTSTRAP_TOKEN_FILE: join(directory, `bootstrap-${name}`),
    })
  const nodes: Record<NodeName, ServerProcess> = { one: await start('one'), two: await start('two') }
  const db = openDatabase(postgres.connection)
  const agents = Array.from({ length: agentCount }, (_, n) => ({ agent_id: `agent-${n}`, key: testKey('ES256') }))
  await insertClients(db, issuer)
  await insertAgents(db, agents)

  const host = new URL(issuer).host
  const basic = (client_id: string) => `Basic ${Buffer.from(`${client_id}:${SECRET}`).toString('base64')}`
  const proof = (key: TestKey, htu: string, ath?: string) => {
    const iat = Math.floor(Date.now() / 1000)
    return forge(
      { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk },
      { jti: randomUUID(), htm: 'POST', htu, iat, ath },
      key,
    )
  }
  const formHeaders = (client_id: string) => [
    ...['Host', host, 'Authorization', basic(client_id)],
    ...['Content-Type', 'application/x-www-form-urlencoded'],
  ]
  const adminKey = testKey('ES256')
  const adminToken = await exchange(
    one,
    '/oauth/token',
    [...formHeaders('operator'), 'DPoP', proof(adminKey, `${issuer}/oauth/token`)],
    form({ grant_type: CLIENT_CREDENTIALS_GRANT, scope: 'revoke', resource: `${issuer}/admin` }),
  )
  const access_token = String(adminToken.body.access_token)

  return {
    issuer,
    agents,
    db,
    prepareMint({ agent_id, key }, asked = {}) {
      const headers = [...formHeaders('app'), 'DPoP', proof(key, `${issuer}/oauth/token`)]
      const params = { grant_type: AGENT_GRANT, agent_id, computed_checksum: CHECKSUM, scope: 'read', resource: API }
      return async node => await exchange(ports[node], '/oauth/token', headers, form({ ...params, ...asked }))
    },
    prepareRevoke({ kind, id }) {
      const path = '/admin/v1/revocations'
      const headers = [
        ...['Host', new URL(adminUrl).host, 'Content-Type', 'application/json'],
        ...['Authorization', `DPoP ${access_token}`],
        ...['DPoP', proof(adminKey, `${adminUrl}${path}`, tokenHash(access_token))],
      ]
      const body = JSON.stringify({ kind, id, reason: 'the gate test' })
      return async () => await exchange(adminOne, path, headers, body)
    },
    async isActive(node, token) {
      const answer = await exchange(ports[node], '/oauth/introspect', formHeaders('app'), form({ token }))
      return answer.body.active !== false || answer.status !== 200
    },
    async killAndRestart(name) {
      await nodes[name].kill()
      nodes[name] = await start(name)
    },
    async close() {
      await db.destroy()
      await Promise.all([nodes.one.stop(), nodes.two.stop()])
      await postgres.stop()
      await Promise.all([directory, dataDir].map(path => rm(path, { recursive: true })))
    },
  }
}

/** `app`, which may ask for `read` at the API, and `operator`, which may revoke. */
export async function insertClients(db: Kysely<Database>, issuer: string): Promise<void> {
  const now = new Date()
  const secret_digest = createHash('sha256').update(SECRET).digest()
  const rights = {
    app: [
      { resource: issuer, scope: 'generate:intent-token' },
      { resource: API, scope: 'read' },
    ],
    operator: [{ resource: `${issuer}/admin`, scope: 'revoke' }],
  }
  await db
    .insertInto('resource')
    .values({
      resource: API,
      scopes: JSON.stringify([{ name: 'read', workflow: false, approval: false }]),
      token_profile: 'interop',
      signing_alg: 'ES256',
      max_token_lifetime: 300,
      allow_bearer: false,
      client_id: null,
      status: 'active',
      created_at: now,
      created_by: 'test',
    })
    .execute()
  for (const [client_id, access] of Object.entries(rights)) {
    await db
      .insertInto('client')
      .values({
        client_id,
        client_name: client_id,
        owner: `user:local:${client_id}`,
        kind: 'app',
        token_endpoint_auth_method: 'client_secret_basic',
        jwks: null,
        grant_types: JSON.stringify([CLIENT_CREDENTIALS_GRANT, AGENT_GRANT]),
        access: JSON.stringify(access),
        registers_for: '[]',
        policies: JSON.stringify(policiesSchema.parse({})),
        status: 'active',
        created_at: now,
        created_by: 'test',
      })
      .execute()
    await db
      .insertInto('client_secret')
      .values({ client_id, secret_digest, created_at: now, expires_at: null })
      .execute()
  }
}

/** As if each had been registered with a key of its own. */
async function insertAgents(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  const now = new Date()
  for (let at = 0; at < agents.length; at += BATCH) {
    const batch = agents.slice(at, at + BATCH)
    const jkts = await Promise.all(batch.map(agent => thumbprint(agent.key)))
    const id = { client_id: 'app' }
    const access = JSON.stringify([{ resource: API, scope: 'read' }])
    await db
      .insertInto('agent')
      .values(
        batch.map(({ agent_id }) => ({
          ...id,
          agent_id,
          status: 'active' as const,
          access,
          outside_workflow: true,
          suspended_by: null,
          created_at: now,
        })),
      )
      .execute()
    await db
      .insertInto('agent_key')
      .values(
        batch.map(({ agent_id, key }, n) => ({
          ...id,
          agent_id,
          jkt: jkts[n] ?? '',
          jwk: JSON.stringify(key.jwk),
          source: 'registered' as const,
          added_at: now,
          expires_at: null,
          removed_at: null,
        })),
      )
      .execute()
    await db
      .insertInto('registration')
      .values(
        batch.map(({ agent_id }) => ({
          ...id,
          agent_id,
          registration_id: `reg_${agent_id}`,
          version: 1,
          checksum: CHECKSUM,
          checksum_profile: 'jcs' as const,
          components_sealed: Buffer.alloc(0),
          status: 'active' as const,
          drain_seconds: 0,
          drains_until: null,
          proposed_grant: null,
          proposed_keys: null,
          registered_at: now,
          registered_by: 'test',
          registered_owner: 'user:local:app',
          approved_at: null,
          approved_by: null,
        })),
      )
      .execute()
  }
}
