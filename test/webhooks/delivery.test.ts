import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { type Context, transaction } from '../../src/server/context.ts'
import { SYSTEM_NETWORK } from '../../src/server/fetch/connect.ts'
import { startMaintenance } from '../../src/server/maintenance.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { claimDeliveries, purgeDeliveries, settleDelivery } from '../../src/server/store/webhook-deliveries.ts'
import { deliverWebhooks, RETRY_AFTER } from '../../src/server/webhooks/deliver.ts'
import { resolvesTo } from '../fetch/given.ts'
import { startTestApp } from '../support/app.ts'
import { deliveryOf, givenDue, givenReceiver, givenWebhook, SECRET_TEXT } from './given.ts'

/** The database of a file is one for all its tests: what one leaves due is another's. */
const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: 'true' } })
const { ctx, clock } = app
const STRICT: Context = { ...ctx, config: { ...ctx.config, allowPrivateFetch: false } }

test('a delivery is signed as Standard Webhooks 1.0 says: its own library takes it, and nothing that was changed', async () => {
  const { url, received } = await givenReceiver()
  const payload = '{"type":"approval.opened","data":{"agent_id":"z\u00fcrich"}}'
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, `${url}/hooks/1?team=a`), payload)
  await deliverWebhooks(ctx)
  const [one, ...others] = received
  assert.ok(one && others.length === 0)
  const { host, connection, 'webhook-signature': signature, ...headers } = one.headers
  assert.deepEqual([one.method, one.path, one.body], ['POST', '/hooks/1?team=a', payload])
  assert.deepEqual(headers, {
    ...{ 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) },
    ...{ 'accept-encoding': 'identity', 'webhook-id': delivery_id, 'webhook-timestamp': String(clock.seconds()) },
  })
  assert.match(String(signature), /^v1,[A-Za-z0-9+/]{43}=$/)
  const webhook = new Webhook(SECRET_TEXT)
  assert.deepEqual(webhook.verify(one.body, one.headers), JSON.parse(payload))
  assert.throws(() => webhook.verify(one.body.replace('opened', 'decided'), one.headers))
  for (const name of ['webhook-id', 'webhook-timestamp'] as const) {
    assert.throws(() => webhook.verify(one.body, { ...one.headers, [name]: `${one.headers[name]}1` }))
  }
  assert.throws(() => new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(one.body, one.headers))
  const { attempts, delivered_at, failed_at, last_result } = await deliveryOf(ctx, delivery_id)
  assert.deepEqual([attempts, delivered_at, failed_at, last_result], [1, clock.now(), null, 'http_204'])
})

test('what is not taken is tried again after longer and longer, under the same id, with a fresh time and signature', async () => {
  const statuses = [500, 302, 404, 429, 503, 200]
  const { url, received } = await givenReceiver(response => {
    response.writeHead(statuses[received.length - 1] ?? 200, { location: `${url}/elsewhere` }).end('no')
  })
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, `${url}/hook`))
  const started = clock.seconds()
  const times: number[] = []
  for (const [index, delay] of [0, ...RETRY_AFTER.slice(0, 5)].entries()) {
    if (delay > 0) {
      clock.advance(delay - 1)
      await deliverWebhooks(ctx)
      assert.equal(received.length, index, 'not before its time')
      clock.advance(1)
    }
    await deliverWebhooks(ctx)
    times.push(clock.seconds() - started)
    const { last_result, attempts } = await deliveryOf(ctx, delivery_id)
    assert.deepEqual([last_result, attempts], [`http_${statuses[index]}`, index + 1])
  }
  assert.deepEqual(times, [0, 5, 35, 155, 755, 2555])
  assert.deepEqual([...new Set(received.map(one => one.headers['webhook-id']))], [delivery_id])
  assert.ok(
    received.every(one => one.path === '/hook'),
    'no redirect is followed',
  )
  const stamps = received.map(one => Number(one.headers['webhook-timestamp']) - started)
  assert.deepEqual(stamps, times)
  assert.equal(new Set(received.map(one => one.headers['webhook-signature'])).size, 6)
  clock.advance(100_000)
  await deliverWebhooks(ctx)
  assert.equal(received.length, 6, 'once delivered, that is all')
})

test('after seven attempts within two hours a delivery failed, and is not tried again', async () => {
  const { url, received } = await givenReceiver(response => response.writeHead(500).end())
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, url))
  assert.equal(
    RETRY_AFTER.reduce((sum, delay) => sum + delay, 0),
    6_155,
  )
  for (const delay of [...RETRY_AFTER, 100_000, 100_000]) {
    await deliverWebhooks(ctx)
    clock.advance(delay)
  }
  assert.equal(received.length, 7)
  const { attempts, failed_at, delivered_at, last_result } = await deliveryOf(ctx, delivery_id)
  assert.deepEqual([attempts, delivered_at, last_result], [7, null, 'http_500'])
  assert.ok(failed_at)
})

test('[attack 108] a webhook reaches no private address, in whatever form, and no plain http (attacks.md 108)', async () => {
  const { port, seen } = await givenReceiver()
  const expected = new Map<string, string>()
  for (const [url, reason] of [
    [`http://127.0.0.1:${port}/`, 'fetch_forbidden_url'],
    [`https://127.0.0.1:${port}/`, 'fetch_forbidden_address'],
    [`https://[::ffff:127.0.0.1]:${port}/`, 'fetch_forbidden_address'],
    [`https://2130706433:${port}/`, 'fetch_forbidden_address'],
    ['https://169.254.169.254/latest/meta-data', 'fetch_forbidden_address'],
    [`https://localhost:${port}/`, 'fetch_forbidden_address'],
    [`https://user:secret@hooks.example.test:${port}/`, 'fetch_forbidden_url'],
  ] as const) {
    expected.set(await givenDue(ctx, await givenWebhook(ctx, url)), reason)
  }
  const named = await givenDue(ctx, await givenWebhook(ctx, `https://hooks.example.test:${port}/`))
  expected.set(named, 'fetch_forbidden_address')
  const lookup = resolvesTo(['93.184.216.34', '127.0.0.1'])
  await deliverWebhooks(STRICT, { ...SYSTEM_NETWORK, lookup })
  for (const [id, reason] of expected) assert.equal((await deliveryOf(ctx, id)).last_result, reason)
  assert.equal(seen.connections, 0)
  await ctx.db.updateTable('webhook').set({ status: 'deleted', secret_sealed: null }).execute()
})

test('a receiver that never answers, or never ends its answer, costs at most 2.5 s and delays no other', async () => {
  const silent = await givenReceiver(() => {})
  let sent = 0
  const endless = await givenReceiver(response => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && sent < 100_000_000) {
        sent += 16_384
        if (!response.write(Buffer.alloc(16_384, 'x'))) return void response.once('drain', more)
      }
    }
    more()
  })
  const well = await givenReceiver()
  const [silentId, endlessId, wellId] = [
    await givenWebhook(ctx, silent.url),
    await givenWebhook(ctx, endless.url),
    await givenWebhook(ctx, well.url),
  ]
  const stuck: string[] = []
  for (let n = 0; n < 50; n += 1) stuck.push(await givenDue(ctx, silentId))
  clock.advance(1)
  const [fine, endlessDue] = [await givenDue(ctx, wellId), await givenDue(ctx, endlessId)]
  const started = performance.now()
  await deliverWebhooks(ctx)
  assert.ok(performance.now() - started < 4_000)
  assert.equal((await deliveryOf(ctx, fine)).last_result, 'http_204', 'fifty before it do not delay it')
  assert.equal((await deliveryOf(ctx, endlessDue)).last_result, 'http_200', 'what it goes on to say is not heard')
  assert.ok(sent < 20_000_000, `${sent} bytes were sent`)
  const results = await Promise.all(stuck.map(async id => (await deliveryOf(ctx, id)).last_result))
  assert.deepEqual(
    [results.filter(result => result === 'fetch_timeout').length, results.filter(result => result === null).length],
    [4, 46],
  )
  await ctx.db.updateTable('webhook').set({ status: 'deleted', secret_sealed: null }).execute()
})

test('nothing is asked of a receiver inside a transaction (architecture.md)', async () => {
  const open: string[] = []
  const asked = Promise.withResolvers<void>()
  const { url } = await givenReceiver(async response => {
    const found = sql<{ n: string }>`select count(*) as n from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%'`
    open.push(String((await found.execute(ctx.db)).rows[0]?.n))
    response.writeHead(200).end()
    asked.resolve()
  })
  await givenDue(ctx, await givenWebhook(ctx, url))
  await deliverWebhooks(ctx)
  await asked.promise
  assert.deepEqual(open, ['0'])
})

test('two nodes that look at the same time deliver each once', async () => {
  const { url, received } = await givenReceiver()
  const other: Context = { ...ctx, db: openDatabase(app.database.connection) }
  const ids: string[] = []
  for (let n = 0; n < 8; n += 1) {
    const webhook_id = await givenWebhook(ctx, url)
    for (let due = 0; due < 10; due += 1) ids.push(await givenDue(ctx, webhook_id))
  }
  for (let turn = 0; turn < 4; turn += 1) await Promise.all([deliverWebhooks(ctx), deliverWebhooks(other)])
  await other.db.destroy()
  const told = received.map(one => one.headers['webhook-id']).sort()
  assert.deepEqual(told, ids.sort())
})

test('what one node is about to take, another passes over and does not wait for', async () => {
  const { url } = await givenReceiver()
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, url))
  const other: Context = { ...ctx, db: openDatabase(app.database.connection) }
  const claim = (of: Context) => claimDeliveries(of, { lease: 30, most: 4 }, ctx.now())
  const waiting = sql<{ n: string }>`
    select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  const second = await transaction(ctx, async tx => {
    assert.deepEqual(
      (await claim(tx)).map(one => one.delivery_id),
      [delivery_id],
    )
    let isDone = false
    const passed = claim(other).finally(() => {
      isDone = true
    })
    while (!isDone && (await waiting.execute(ctx.db)).rows[0]?.n === '0');
    return { passed, isDone }
  })
  assert.deepEqual([await second.passed, second.isDone], [[], true])
  await other.db.destroy()
  await ctx.db.deleteFrom('webhook_delivery').where('delivery_id', '=', delivery_id).execute()
})

test('what a node took and never settled is delivered by another after its lease, and its late word counts no more', async () => {
  const { url, received } = await givenReceiver()
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, url))
  const [taken] = await claimDeliveries(ctx, { lease: 30, most: 4 }, ctx.now())
  assert.deepEqual([taken?.delivery_id, taken?.attempts, taken?.url], [delivery_id, 1, url])
  clock.advance(29)
  await deliverWebhooks(ctx)
  assert.equal(received.length, 0)
  clock.advance(1)
  const again = await claimDeliveries(ctx, { lease: 30, most: 4 }, ctx.now())
  assert.deepEqual(
    again.map(one => [one.delivery_id, one.attempts]),
    [[delivery_id, 2]],
  )
  await settleDelivery(ctx, { delivery_id, attempts: 1 }, { last_result: 'http_500', failed_at: ctx.now() })
  assert.equal((await deliveryOf(ctx, delivery_id)).failed_at, null)
  clock.advance(30)
  await deliverWebhooks(ctx)
  assert.equal(received[0]?.headers['webhook-id'], delivery_id)
  assert.equal((await deliveryOf(ctx, delivery_id)).last_result, 'http_204')
})

test('410 ends the webhook: what it still had to be told fails, nothing is added, and the trail says so', async () => {
  const { url, received } = await givenReceiver(response => response.writeHead(410).end())
  const webhook_id = await givenWebhook(ctx, url)
  const due: string[] = []
  for (let n = 0; n < 6; n += 1) due.push(await givenDue(ctx, webhook_id))
  await deliverWebhooks(ctx)
  const asked = received.length
  clock.advance(100_000)
  await deliverWebhooks(ctx)
  assert.equal(received.length, asked)
  for (const id of due) {
    const { failed_at, last_result } = await deliveryOf(ctx, id)
    assert.deepEqual([failed_at !== null, last_result], [true, 'http_410'])
  }
  const row = await ctx.db
    .selectFrom('webhook')
    .select(['status', 'secret_sealed'])
    .where('webhook_id', '=', webhook_id)
    .execute()
  assert.deepEqual(row, [{ status: 'gone', secret_sealed: null }], 'its secret is erased')
  const audited = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'actor', 'details'])
    .where('action', '=', 'webhook.gone')
    .execute()
  assert.deepEqual(audited, [{ outcome: 'success', actor: 'receiver', details: { webhook_id } }])
})

test('a failure is one line in the log and one count, and neither has the URL, the secret or the payload', async () => {
  const { url } = await givenReceiver(response => response.writeHead(500).end())
  const webhook_id = await givenWebhook(ctx, `${url}/canary-path?canary=query`)
  const delivery_id = await givenDue(ctx, webhook_id, '{"canary":"payload"}')
  await deliverWebhooks(ctx)
  const lines = app.log.filter(line => line.includes(delivery_id)).map(line => JSON.parse(line))
  const { level, msg, attempts, result } = lines[0] ?? {}
  assert.deepEqual([lines.length, level, msg], [1, 40, 'a webhook was not delivered'])
  assert.deepEqual([lines[0]?.webhook_id, attempts, result], [webhook_id, 1, 'http_500'])
  for (const line of app.log) assert.doesNotMatch(line, /canary|whsec_/)
  const counts = await ctx.metrics.webhookAttempts.get()
  const results = counts.values.map(({ labels }) => labels.result).sort()
  assert.deepEqual(results, ['delivered', 'failed', 'gone', 'retried'])
})

test('a secret that does not open stands in the way of its own webhook alone', async () => {
  const { url, received } = await givenReceiver()
  const broken = await givenWebhook(ctx, url)
  await ctx.db
    .updateTable('webhook')
    .set({ secret_sealed: Buffer.alloc(200) })
    .where('webhook_id', '=', broken)
    .execute()
  const [lost, fine] = [await givenDue(ctx, broken), await givenDue(ctx, await givenWebhook(ctx, url))]
  await deliverWebhooks(ctx)
  assert.deepEqual(
    received.map(one => one.headers['webhook-id']),
    [fine],
  )
  assert.equal((await deliveryOf(ctx, lost)).last_result, 'secret_unreadable')
})

test('maintenance delivers what is due, and after a week forgets it', { timeout: 20_000 }, async () => {
  // By a clock that agrees with the database's: else nothing is purged or delivered (reliability.md R14).
  const { ctx, clock } = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: 'true' } })
  const arrived = Promise.withResolvers<void>()
  const { url } = await givenReceiver(response => {
    response.writeHead(200).end()
    arrived.resolve()
  })
  const delivery_id = await givenDue(ctx, await givenWebhook(ctx, url))
  // The timers of maintenance keep no process alive.
  const alive = setInterval(() => {}, 1_000)
  const maintenance = startMaintenance(ctx)
  await arrived.promise
  await maintenance.stop()
  clearInterval(alive)
  assert.equal((await deliveryOf(ctx, delivery_id)).last_result, 'http_200')
  const count = async () => (await ctx.db.selectFrom('webhook_delivery').select('delivery_id').execute()).length
  clock.advance(604_800)
  await purgeDeliveries(ctx)
  assert.ok((await deliveryOf(ctx, delivery_id)).delivered_at)
  clock.advance(1)
  await purgeDeliveries(ctx)
  assert.equal(await count(), 0)
})
