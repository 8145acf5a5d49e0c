import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../store/database.ts'
import { isAlive } from '../store/embedded-shutdown.ts'

export type EmbeddedState =
  | { readonly state: 'absent' | 'stopped' | 'unreadable' }
  | { readonly state: 'running'; readonly holder: string; readonly connection: Connection }

/**
 * The embedded Postgres as its files show it, so that a running one is asked through the socket of its server. Lines 1,
 * 4 and 5 of the postmaster's pid file are process, port and socket directory (PostgreSQL, pidfile.h).
 */
export async function findEmbedded(dataDir: string): Promise<EmbeddedState> {
  const cluster = join(dataDir, 'postgres')
  if (!(await stat(cluster).catch(() => undefined))) return { state: 'absent' }
  let text: string
  try {
    text = await readFile(join(cluster, 'postmaster.pid'), 'utf8')
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return { state: isAbsent ? 'stopped' : 'unreadable' }
  }
  const [pid, , , port, host = ''] = text.split('\n').map(line => line.trim())
  if (!isAlive(Number(pid)) || host === '') return { state: 'stopped' }
  const holder = (await readFile(join(dataDir, 'server.pid'), 'utf8').catch(() => '')).trim()
  return { state: 'running', holder, connection: { host, port: Number(port), user: 'remit', database: 'remit' } }
}
