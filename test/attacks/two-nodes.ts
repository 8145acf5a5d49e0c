import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { forge, type TestKey, testKey } from '../protocol/forge.ts'
import { freePorts } from '../support/free-ports.ts'
import { type Answer, exchange, form } from './attempt.ts'
import { tokenHash } from './given.ts'
import { API, CHECKSUM, type GateAgent, insertAgents, insertClients, SECRET } from './inserted.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

const SCOPES = { agent: 'intent', workflow: 'workflow' } as const

export type NodeName = 'one' | 'two'
export type Asked = Readonly<Record<string, string>>
/** By a revocation of this kind, or the suspension of an agent. */
export type Stopped = { readonly kind: string; readonly id: string }

export type TwoNodes = {
  readonly issuer: string
  readonly agents: readonly GateAgent[]
  readonly db: Kysely<Database>
  /** A mint request with further parameters, its proof signed in advance. */
  readonly prepareMint: (agent: GateAgent, asked?: Asked) => (node: NodeName) => Promise<Answer>
  readonly prepareStop: (what: Stopped) => () => Promise<Answer>
  /** The admin API of node one, by `operator`. */
  readonly administer: (path: string, body: object) => Promise<Answer>
  /** A call of the issuer's own API by `app`, which may register. */
  readonly register: (node: NodeName, what: 'agent' | 'workflow', body: object) => Promise<Answer>
  readonly isActive: (node: NodeName, token: string) => Promise<boolean>
  /** kill -9; `meanwhile` runs while it is down. */
  readonly killAndRestart: (node: NodeName, meanwhile?: () => Promise<void>) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Two `remit serve` processes of one issuer on one embedded Postgres, and agents that are ready to mint at both; the nth
 * is one of `clientOf(n)`.
 */
export async function startTwoNodes(
  agentCount: number,
  clientOf: (n: number) => string = () => 'app',
): Promise<TwoNodes> {
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
  const agents = Array.from({ length: agentCount }, (_, n) => {
    return { client_id: clientOf(n), agent_id: `agent-${n}`, key: testKey('ES256') }
  })
  const others = new Set(agents.map(({ client_id }) => client_id))
  others.delete('app')
  await insertClients(db, issuer, [...others])
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
  const ownKey = testKey('ES256')
  const tokenFor = async (client_id: string, resource: string, scope: string) => {
    const headers = [...formHeaders(client_id), 'DPoP', proof(ownKey, `${issuer}/oauth/token`)]
    const asked = form({ grant_type: CLIENT_CREDENTIALS_GRANT, scope, resource })
    return String((await exchange(one, '/oauth/token', headers, asked)).body.access_token)
  }
  const bound = (token: string, base: string, path: string) => [
    ...['Host', new URL(base).host, 'Content-Type', 'application/json'],
    ...['Authorization', `DPoP ${token}`, 'DPoP', proof(ownKey, `${base}${path}`, tokenHash(token))],
  ]
  const adminToken = await tokenFor('operator', `${issuer}/admin`, 'revoke approve:agents')
  const prepareAct = (path: string, body: object) => {
    const headers = bound(adminToken, adminUrl, path)
    return async () => await exchange(adminOne, path, headers, JSON.stringify(body))
  }

  return {
    issuer,
    agents,
    db,
    prepareMint({ client_id, agent_id, key }, asked = {}) {
      const headers = [...formHeaders(client_id), 'DPoP', proof(key, `${issuer}/oauth/token`)]
      const params = { grant_type: AGENT_GRANT, agent_id, computed_checksum: CHECKSUM, scope: 'read', resource: API }
      return async node => await exchange(ports[node], '/oauth/token', headers, form({ ...params, ...asked }))
    },
    prepareStop({ kind, id }) {
      const reason = 'the gate test'
      if (kind === 'suspend') return prepareAct(`/admin/v1/agents/${id}/suspend`, { reason })
      return prepareAct('/admin/v1/revocations', { kind, id, reason })
    },
    administer: (path, body) => prepareAct(path, body)(),
    async register(node, what, body) {
      const path = `/intent/register/${what}`
      const headers = bound(await tokenFor('app', issuer, `register:${SCOPES[what]}`), issuer, path)
      return await exchange(ports[node], path, headers, JSON.stringify(body))
    },
    async isActive(node, token) {
      const answer = await exchange(ports[node], '/oauth/introspect', formHeaders('app'), form({ token }))
      return answer.body.active !== false || answer.status !== 200
    },
    async killAndRestart(name, meanwhile) {
      await nodes[name].kill()
      await meanwhile?.()
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
