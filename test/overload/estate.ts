import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { policiesSchema } from '../../src/protocol/client.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { type Connection, openDatabase } from '../../src/server/store/database.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import { startServerProcess } from '../attacks/server-process.ts'
import { type TestKey, testKey } from '../protocol/forge.ts'
import { freePorts } from '../support/free-ports.ts'
import { API } from './mint.ts'

export type Estate = {
  readonly issuer: string
  readonly connection: Connection
  /** The one key of all clients. */
  readonly key: TestKey
  readonly clients: { readonly good: string; readonly floods: readonly string[] }
  readonly stop: () => Promise<void>
}

const GOOD = 'good'
const FLOODS = ['flood-1', 'flood-2', 'flood-3', 'flood-4']

/** `remit serve` in a process of its own on a Postgres of its own, and clients that may mint. */
export async function startEstate(): Promise<Estate> {
  const directory = await mkdtemp(join(tmpdir(), 'remit-overload-'))
  // A directory of its own: as root, another account must pass it.
  const dataDir = await mkdtemp(join(tmpdir(), 'remit-overload-postgres-'))
  const postgres = await startEmbeddedPostgres(dataDir)
  const { socketDir, port: pgPort, user, database, connection } = postgres
  const [port = 0, adminPort = 0] = await freePorts()
  const kek = join(directory, 'kek')
  await writeFile(kek, `${'5a'.repeat(32)}\n`, { mode: 0o600 })
  const issuer = `http://127.0.0.1:${port}`
  const server = await startServerProcess(directory, {
    DATABASE_URL: `postgresql://${user}@localhost:${pgPort}/${database}?host=${encodeURIComponent(socketDir)}`,
    REMIT_ISSUER: issuer,
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_KEK_FILE: kek,
    REMIT_DATA_DIR: directory,
  })
  const key = testKey('ES256')
  await insertClients(connection, issuer, key)
  return {
    issuer,
    connection,
    key,
    clients: { good: GOOD, floods: FLOODS },
    async stop() {
      await server.stop()
      await postgres.stop()
      await Promise.all([directory, dataDir].map(path => rm(path, { recursive: true })))
    },
  }
}

async function insertClients(connection: Connection, issuer: string, key: TestKey): Promise<void> {
  const db = openDatabase(connection)
  const made = { status: 'active', created_at: new Date(), created_by: 'test' } as const
  const access = [
    { resource: issuer, scope: 'register:intent' },
    { resource: API, scope: 'read' },
  ]
  const scopes = JSON.stringify([{ name: 'read', workflow: false, approval: false }])
  await db
    .insertInto('resource')
    .values({
      ...{ resource: API, scopes, token_profile: 'interop', signing_alg: 'ES256', max_token_lifetime: 300 },
      ...{ allow_bearer: false, client_id: null },
      ...made,
    })
    .execute()
  await db
    .insertInto('client')
    .values(
      [GOOD, ...FLOODS].map(client_id => ({
        ...{ client_id, client_name: client_id, owner: 'user:local:anna', kind: 'app' as const },
        token_endpoint_auth_method: 'private_key_jwt' as const,
        jwks: JSON.stringify({ keys: [key.jwk] }),
        grant_types: JSON.stringify([CLIENT_CREDENTIALS_GRANT]),
        access: JSON.stringify(access),
        registers_for: '[]',
        policies: JSON.stringify(policiesSchema.parse({})),
        ...made,
      })),
    )
    .execute()
  await db.destroy()
}
