import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import pino from 'pino'
import { loadConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/main.ts'
import { startTestApp } from '../support/app.ts'
import { createTestDatabase } from '../support/database.ts'
import { freePorts } from '../support/free-ports.ts'
import { freshRequest } from '../support/fresh-request.ts'
import { jsonOf } from '../support/json-of.ts'
import { startRelay } from '../support/tcp-relay.ts'
import { execute } from '../support/test-server.ts'

const BOUND = { timeout: 120_000 }
const OTHER = { total: 6, idle: 6, waiting: 0, acquired: 0 }
const ALL = { accepting: true, clock: true, database: true, migrations: true, pool: true, signing_key: true }

describe('a server whose clock or database goes wrong', BOUND, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'remit-ready-'))
  const database = await createTestDatabase()
  const relay = await startRelay(database.connection)
  const [port, adminPort] = await freePorts()
  const config = loadConfig({
    NODE_ENV: 'test',
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_DATA_DIR: directory,
    DATABASE_URL: relay.url,
  })
  const server = await startServer(config, pino({ level: 'silent' }))
  after(async () => {
    await server.stop()
    await relay.close()
    await database.drop()
    await rm(directory, { recursive: true })
  })
  const probe = async (path: string) => {
    const asked = performance.now()
    const { status, body } = await freshRequest(`${config.issuer}${path}`)
    return { status, body: JSON.parse(body), milliseconds: performance.now() - asked }
  }

  test('a jump of the clock by ten minutes, ahead or back, ends readiness until it is set right (R14)', async t => {
    for (const jump of [600_000, -600_000]) {
      assert.equal((await probe('/readyz')).status, 200)
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + jump })
      for (let at = await probe('/readyz'); at.status !== 503 || at.body.checks.clock; ) at = await probe('/readyz')
      t.mock.timers.reset()
      while ((await probe('/readyz')).status !== 200);
    }
  })

  test('with a database that hangs every probe is answered in time: alive, not ready; and ready again afterwards (R11)', async () => {
    relay.freeze()
    // However many ask, also while earlier questions still hang.
    const many = await Promise.all(Array.from({ length: 50 }, () => probe('/readyz')))
    const probes = [...many, await probe('/readyz'), await probe('/readyz')]
    for (const { status, body } of probes) {
      assert.equal(status, 503)
      assert.deepEqual(body.checks, { ...ALL, database: false, migrations: false, signing_key: false })
    }
    // The driver would give up after two seconds. A busy machine delays some of them.
    const [median = 0] = probes
      .map(({ milliseconds }) => milliseconds)
      .toSorted((a, b) => a - b)
      .slice(26)
    assert.ok(median < 1_600, `${median} ms`)
    assert.equal((await probe('/healthz')).status, 200)
    relay.thaw()
    while ((await probe('/readyz')).status !== 200);
  })
})

test(
  'readiness names what is wrong: a missing migration, a pool that is stuck, a standby, a drain',
  BOUND,
  async () => {
    const app = await startTestApp()
    const { db, node } = app.ctx
    const checks = async () => {
      const answer = await fetch(`${app.issuer}/readyz`)
      const { status, checks } = await jsonOf(answer)
      assert.deepEqual([answer.status, status], isDeepStrictEqual(checks, ALL) ? [200, 'ready'] : [503, 'not_ready'])
      return checks
    }
    // The release after this one migrated more than this one knows: this node goes on beside it.
    await sql`insert into kysely_migration (name, timestamp) values ('999_next', '2027')`.execute(db)
    assert.deepEqual(await checks(), ALL)
    await sql`delete from kysely_migration where name = '001_core'`.execute(db)
    assert.deepEqual(await checks(), { ...ALL, migrations: false })
    await sql`insert into kysely_migration (name, timestamp) values ('001_core', '2026')`.execute(db)

    // Five turns of a second in which somebody waits: with connections handed out, then without.
    for (let turn = 0; turn < 5; turn += 1)
      node.watchPools([OTHER, { total: 10, idle: 0, waiting: 3, acquired: 7 + turn }])
    assert.deepEqual(await checks(), ALL)
    for (let turn = 0; turn < 5; turn += 1) node.watchPools([OTHER, { total: 10, idle: 0, waiting: 3, acquired: 11 }])
    assert.deepEqual(await checks(), { ...ALL, pool: false })
    node.watchPools([OTHER, { total: 10, idle: 0, waiting: 3, acquired: 12 }])
    assert.deepEqual(await checks(), ALL)

    const readOnly = "execute format('alter database %I set default_transaction_read_only = on', current_database())"
    const others = 'from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
    await execute(
      app.database.connection,
      `do $$ begin ${readOnly}; end $$`,
      `select pg_terminate_backend(pid) ${others}`,
    )
    // The first question may still meet a connection that was just ended.
    while (!isDeepStrictEqual(await checks(), { ...ALL, database: false }));

    node.startDraining()
    assert.deepEqual(await checks(), { ...ALL, accepting: false, database: false })
  },
)
