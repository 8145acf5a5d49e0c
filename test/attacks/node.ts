import { after } from 'node:test'
import { buildApp, type Listeners } from '../../src/server/app.ts'
import { createUnauthenticatedCounter } from '../../src/server/audit/unauthenticated.ts'
import type { Context } from '../../src/server/context.ts'
import { loadServerSecret } from '../../src/server/keys/derive.ts'
import { openKeyring } from '../../src/server/keys/open-keyring.ts'
import { createLimits } from '../../src/server/limits.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { closeDatabase, openDatabase } from '../../src/server/store/database.ts'
import { createGroupCommit } from '../../src/server/store/group-commit.ts'
import { createRecordCache } from '../../src/server/token/known-records.ts'
import type { World } from './given.ts'

export type Node = {
  readonly ctx: Context
  readonly port: number
  readonly adminPort: number
  readonly close: () => Promise<void>
}

/**
 * Another server of the same issuer on the same database: a second node, or the same one started again. Closed at the
 * end of the test, or before.
 */
export async function startNode({ app }: Pick<World, 'app'>): Promise<Node> {
  const { sealer, now } = app.ctx
  const db = openDatabase(app.database.connection)
  const passDb = openDatabase(app.database.connection, () => {}, 'pass')
  const keys = await openKeyring({ db, sealer, now }, await loadServerSecret(db, sealer, now()))
  const ctx: Context = {
    ...app.ctx,
    db,
    passDb,
    commits: createGroupCommit(),
    records: createRecordCache(),
    keys,
    metrics: createMetrics(),
    limits: createLimits(app.ctx.config, now),
    unauthenticated: createUnauthenticatedCounter(),
  }
  const { public: listener, admin } = await buildApp(ctx)
  for (const one of new Set([listener, admin])) await one.listen({ host: '127.0.0.1', port: 0 })
  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    await Promise.all([listener.close(), admin.close()])
    await Promise.all([db, passDb].map(closeDatabase))
  }
  const closeOnce = () => {
    closing ??= close()
    return closing
  }
  after(closeOnce)
  return { ctx, port: portOf(listener), adminPort: portOf(admin), close: closeOnce }
}

function portOf({ server }: Listeners['public']): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
