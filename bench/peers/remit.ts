import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { discover } from '../../demo/remit-client.ts'
import { type Defer, type RemitServer, startRemit } from '../../demo/remit-server.ts'
import type { ServerMetadata } from '../../src/protocol/metadata.ts'
import { findEmbedded } from '../../src/server/diagnosis/embedded-socket.ts'
import { isAlive, tree } from '../processes.ts'
import type { Peer } from './peer.ts'

/** Remit as `remit serve` runs it, with its embedded Postgres. */
export type RemitPeer = Peer &
  RemitServer & {
    readonly metadata: ServerMetadata
    /** One statement at its database, past the server. */
    readonly query: (text: string, values?: readonly unknown[]) => Promise<readonly Readonly<Record<string, unknown>>[]>
  }

/** Of a server that is told nothing else: its default, one a core. */
export const WORKERS = availableParallelism()

const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes', 'server_version'] as const

/** Starts Remit in a directory of its own below `dir`. */
export async function startRemitPeer(
  name: string,
  dir: string,
  defer: Defer,
  settings: Readonly<Record<string, string>> = {},
): Promise<RemitPeer> {
  const dataDir = join(dir, name)
  await mkdir(dataDir)
  const server = await startRemit(dataDir, defer, { REMIT_WORKERS: String(WORKERS), ...settings })
  defer(async () => {
    if (!isAlive(server.pid)) console.error(`${name} ended by itself. It said at last:\n${server.log()}`)
  })
  const postmaster = Number.parseInt(await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10)
  const embedded = await findEmbedded(dataDir)
  if (embedded.state !== 'running') throw new Error('The embedded Postgres does not run.')
  const { connection } = embedded
  return {
    ...server,
    name,
    origin: server.issuer,
    metadata: await discover(server.issuer),
    processes: () => ({ server: tree(server.pid, postmaster), database: tree(postmaster) }),
    async query(text, values = []) {
      const client = new pg.Client({ ...connection, ssl: false })
      await client.connect()
      try {
        return (await client.query(text, [...values])).rows
      } finally {
        await client.end()
      }
    },
  }
}

/** What the database promises of a commit, as it says itself. Throws where an acknowledged write could be lost. */
export async function durability({ query }: RemitPeer): Promise<Readonly<Record<string, string>>> {
  const rows = await query('select name, setting from pg_settings where name = any($1) order by name', [DURABILITY])
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [String(name), String(setting)]))
  if (settings.fsync !== 'on' || settings.synchronous_commit !== 'on') {
    throw new Error(`Postgres is not durable: ${JSON.stringify(settings)}`)
  }
  return settings
}
