import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pino from 'pino'
import { createClockCheck } from '../src/server/clock-check.ts'
import { startMaintenance } from '../src/server/maintenance.ts'
import { refusal } from './protocol/forge.ts'
import { startTestApp } from './support/app.ts'
import { jsonOf } from './support/json-of.ts'

const MINUTE = 60_000

/** Three clocks in milliseconds, of which time alone moves all; `wrong` sets this machine's. */
function given() {
  const clocks = { real: 1_800_000_000_000, offset: 0, steady: 0, slowness: 0, asked: 0, down: false }
  const lines: string[] = []
  const measured: number[] = []
  const check = createClockCheck({
    now: () => new Date(clocks.real + clocks.offset),
    monotonic: () => clocks.steady,
    async database() {
      clocks.asked += 1
      if (clocks.down) throw new Error('away')
      clocks.real += clocks.slowness
      clocks.steady += clocks.slowness
      return new Date(clocks.real)
    },
    log: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).level) }),
    measured: seconds => void measured.push(seconds),
  })
  const pass = (ms: number) => {
    clocks.real += ms
    clocks.steady += ms
  }
  return { clocks, check, pass, lines, measured }
}

describe('the clock of a node against that of the database (reliability.md R14)', () => {
  for (const sign of [1, -1]) {
    test(`more than 5 s ${sign > 0 ? 'ahead' : 'behind'} alarms, more than 30 s stops minting until it agrees again`, async () => {
      const { clocks, check, lines, measured } = given()
      for (const [seconds, judgement] of [
        [5, 'agrees'],
        [5.1, 'apart'],
        [30, 'apart'],
        [30.1, 'stopped'],
        [600, 'stopped'],
        [0.2, 'agrees'],
      ] as const) {
        clocks.offset = sign * seconds * 1000
        await check.measure()
        assert.equal(check.judgement(), judgement)
        if (judgement !== 'stopped') check.mustAgree()
        else assert.throws(check.mustAgree, refusal('temporarily_unavailable', 'clock_apart'))
      }
      assert.deepEqual(lines, [40, 50, 30])
      assert.deepEqual(measured, [5, 5.1, 30, 30.1, 600, 0.2])
    })

    test(`a jump ${sign > 0 ? 'ahead' : 'back'} by ten minutes is noticed at the next second, not at the next minute`, async () => {
      const { clocks, check, pass } = given()
      await check.measure()
      pass(1_000)
      await check.tick()
      assert.equal(clocks.asked, 1)
      clocks.offset = sign * 600_000
      pass(1_000)
      await check.tick()
      assert.equal(check.judgement(), 'stopped')
      // Looks every second now, so that it goes on as soon as somebody set it.
      clocks.offset = 0
      pass(1_000)
      await check.tick()
      assert.equal(check.judgement(), 'agrees')
    })
  }

  test('a clock that drifts without a jump is measured each minute', async () => {
    const { clocks, check, pass } = given()
    await check.measure()
    for (let second = 1; second <= 60; second += 1) {
      clocks.offset += 600
      pass(1_000)
      await check.tick()
      if (second < 60) assert.equal(clocks.asked, 1)
    }
    assert.deepEqual([clocks.asked, check.judgement()], [2, 'stopped'])
  })

  test('a jump that could not be measured is measured as soon as the database answers', async () => {
    const { clocks, check, pass } = given()
    await check.measure()
    clocks.offset = 600_000
    clocks.down = true
    pass(1_000)
    await assert.rejects(check.tick())
    assert.equal(check.judgement(), 'agrees')
    clocks.down = false
    pass(1_000)
    await check.tick()
    assert.equal(check.judgement(), 'stopped')
  })

  test('a reading that took too long says nothing, and is made again', async () => {
    const { clocks, check, pass } = given()
    clocks.slowness = MINUTE
    await check.measure()
    assert.equal(check.judgement(), 'agrees')
    clocks.slowness = 1_000
    pass(1_000)
    await check.tick()
    assert.deepEqual([check.judgement(), clocks.asked], ['agrees', 2])
  })
})

test('a node whose clock is wrong issues nothing, and says that it is not ready because of it (R14)', async () => {
  const app = await startTestApp()
  const { ctx, clock } = app
  const params = { grant_type: 'client_credentials', scope: 'read', client_id: 'nobody', client_secret: 'x' }
  const mint = () => fetch(`${app.issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams(params) })
  await ctx.node.clock.measure()
  assert.equal((await mint()).status, 401)

  clock.advance(600)
  await ctx.node.clock.measure()
  const refused = await mint()
  assert.equal(refused.status, 503)
  assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]/)
  assert.equal((await jsonOf(refused)).error, 'temporarily_unavailable')
  const ready = await fetch(`${app.issuer}/readyz`)
  assert.equal(ready.status, 503)
  assert.deepEqual((await jsonOf(ready)).checks, {
    ...{ accepting: true, clock: false, database: true, migrations: true, pool: true, signing_key: true },
  })
  clock.advance(-600)
  await ctx.node.clock.measure()
  assert.equal((await mint()).status, 401)
})

test('a node whose clock is far ahead purges nothing that others still need (R6, R14)', async t => {
  const { ctx, clock } = await startTestApp()
  const kept = (idempotency_key: string, seconds: number) => ({
    ...{ client_id: 'c', idempotency_key, endpoint: 'POST /x', request_digest: Buffer.alloc(32) },
    ...{ response_status: 200, response_body: '{}', created_at: ctx.now() },
    expires_at: new Date(ctx.now().getTime() + seconds * 1000),
  })
  await ctx.db
    .insertInto('idempotency')
    .values([kept('over', -300), kept('needed', 60)])
    .execute()
  t.mock.timers.enable({ apis: ['setInterval'] })
  const purge = async () => {
    const maintenance = startMaintenance(ctx)
    t.mock.timers.tick(60_000)
    await maintenance.stop()
    const rows = await ctx.db.selectFrom('idempotency').select('idempotency_key').orderBy('idempotency_key').execute()
    return rows.map(row => row.idempotency_key)
  }
  clock.advance(600)
  assert.deepEqual(await purge(), ['needed', 'over'])
  clock.advance(-600)
  assert.deepEqual(await purge(), ['needed'])
})
