import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { type Answer, clientCredentials, send } from '../attacks/attempt.ts'
import { givenClient, givenWorld, type World } from '../attacks/given.ts'

const BUSY = 'The server is busy; send the request again later.'

const isBusy = ({ status, body }: Answer) => status === 503 && body.error_description === BUSY

/** Whoever needs this table hangs in the database from now on, until its lock time-out at most. */
async function holdTable({ app }: World, table: 'replay' | 'idempotency'): Promise<{ release: () => Promise<void> }> {
  const client = new pg.Client({ ...app.database.connection })
  await client.connect()
  await client.query('begin')
  await client.query(`lock table ${table} in access exclusive mode`)
  return { release: () => client.end() }
}

async function inWork({ app }: World, work: string): Promise<number> {
  const metrics = await (await fetch(`${app.adminUrl}/metrics`)).text()
  return Number(new RegExp(`^remit_requests_in_work\\{work="${work}"\\} (\\d+)`, 'm').exec(metrics)?.[1])
}

test('[attack 119] what is too much is 503 with Retry-After at once; another client, health and keys are answered', async () => {
  const world = await givenWorld()
  const { issuer, adminUrl } = world.app
  const held = await holdTable(world, 'replay')
  const flood = Array.from({ length: 120 }, () => send(world, clientCredentials(world)))
  const refused = await Promise.any(
    flood.map(async sent => {
      const answer = await sent
      if (!isBusy(answer)) throw new Error(answer.text)
      return answer
    }),
  )
  assert.match(String(refused.headers['retry-after']), /^[123]$/)
  assert.equal(refused.body.error, 'temporarily_unavailable')
  assert.equal(refused.headers['cache-control'], 'no-store')
  // At once: of some that come one after the other, the quickest tells what the server needs.
  const took: number[] = []
  for (let n = 0; n < 5; n += 1) {
    const attempt = clientCredentials(world)
    const start = performance.now()
    if (isBusy(await send(world, attempt))) took.push(performance.now() - start)
  }
  assert.ok(took.length === 0 || Math.min(...took) < 100, `refused in ${took.join(', ')} ms`)
  // One client of one address gets half of the places.
  const working = await inWork(world, 'tokens')
  assert.ok(working <= 64, `${working} in work`)
  const other = await givenClient(world.ctx)
  const otherSent = send(world, clientCredentials(world, other))
  for (const path of ['/healthz', '/.well-known/jwks.json', '/.well-known/oauth-authorization-server']) {
    assert.equal((await fetch(`${issuer}${path}`)).status, 200, path)
  }
  assert.equal((await fetch(`${adminUrl}/admin/v1/clients`)).status, 401)
  await held.release()
  assert.equal(isBusy(await otherSent), false)
  const answers = await Promise.all(flood)
  const busy = answers.filter(isBusy)
  assert.ok(busy.length >= 1 && busy.length < 120, `${busy.length} were refused`)
  // Nothing was looked at: neither an audit row nor a count, nor a line in the log.
  assert.equal(world.app.log.filter(line => line.includes('too_busy') && JSON.parse(line).level >= 30).length, 0)
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text()
  const counted = /^remit_refusals_total\{reason="too_busy"\} (\d+)$/m.exec(metrics)?.[1]
  assert.equal(Number(counted), busy.length + took.length)
  assert.equal(await inWork(world, 'tokens'), 0)
})

test('[attack 119] while requests take long, fewer are in work at once (Little)', async () => {
  const world = await givenWorld()
  const held = await holdTable(world, 'replay')
  const slow = send(world, clientCredentials(world))
  while ((await inWork(world, 'tokens')) < 1);
  world.app.clock.advance(1)
  await held.release()
  await slow
  const metrics = await (await fetch(`${world.app.adminUrl}/metrics`)).text()
  assert.match(metrics, /^remit_token_places 64$/m)
  const again = await holdTable(world, 'replay')
  const flood = Array.from({ length: 60 }, () => send(world, clientCredentials(world)))
  await Promise.any(flood.map(async sent => assert.ok(isBusy(await sent))))
  const working = await inWork(world, 'tokens')
  assert.ok(working <= 32, `${working} in work`)
  await again.release()
  await Promise.all(flood)
})

test('[attack 119] 64 registrations that hang in the database take no connection from minting and readiness (R12)', async () => {
  const world = await givenWorld()
  const { app, client, ctx } = world
  const { adminUrl, issuer } = app
  const asked = { ...clientCredentials(world), proof: undefined }
  const minted = await send(world, {
    ...asked,
    params: { ...asked.params, resource: issuer, scope: 'register:intent' },
  })
  assert.equal(minted.status, 200, minted.text)
  const held = await holdTable(world, 'idempotency')
  const register = (n: number) =>
    fetch(`${issuer}/intent/register/agent`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${minted.body.access_token}`,
        'idempotency-key': `slow-${n}`,
      },
      body: JSON.stringify({
        app_id: client.client_id,
        agent_components: { agent_id: `slow-${n}`, prompt_template: 'Slow.', tools: [] },
      }),
    })
  const hanging = Array.from({ length: 64 }, (_, n) => register(n))
  // Some hang now: the rest came beyond what one address may have in work.
  const first = await Promise.race(hanging)
  assert.equal(first.status, 503)
  assert.match(first.headers.get('retry-after') ?? '', /^[123]$/)
  assert.equal((await send(world, clientCredentials(world))).status, 200)
  assert.equal((await fetch(`${issuer}/readyz`)).status, 200)
  assert.equal((await fetch(`${adminUrl}/healthz`)).status, 200)
  await ctx.limits.exchange(ctx)
  await held.release()
  for (const answer of await Promise.all(hanging)) assert.ok([200, 503].includes(answer.status), String(answer.status))
  assert.equal(await inWork(world, 'registration'), 0)
  assert.equal((await register(100)).status, 200)
})

test('a client that goes away before its body came gives its place back', async () => {
  const world = await givenWorld()
  const { issuer } = world.app
  const controllers = Array.from({ length: 30 }, () => new AbortController())
  const asked = { ...clientCredentials(world), proof: undefined }
  const minted = await send(world, {
    ...asked,
    params: { ...asked.params, resource: issuer, scope: 'register:intent' },
  })
  const sent = controllers.map(({ signal }) =>
    fetch(`${issuer}/intent/register/agent`, {
      ...{
        method: 'POST',
        signal,
        duplex: 'half',
        body: new ReadableStream({ start: it => it.enqueue(Buffer.from('{')) }),
      },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${minted.body.access_token}` },
    }).catch(() => undefined),
  )
  while ((await inWork(world, 'registration')) < 30);
  for (const controller of controllers) controller.abort()
  await Promise.all(sent)
  while ((await inWork(world, 'registration')) > 0);
})
