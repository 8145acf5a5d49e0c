import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Attempt, clientCredentials, exchange, send } from './attempt.ts'
import { givenClient, givenWorld } from './given.ts'
import { refused } from './refused.ts'

const world = await givenWorld()
const { app, ctx } = world
const shared = await givenClient(ctx, 'shared', {
  token_endpoint_auth_method: 'client_secret_post',
  access: [{ resource: app.issuer, scope: 'register:intent read:agents' }],
})

/** For a Bearer token of our own API. */
function asked(): Attempt {
  const attempt = { ...clientCredentials(world, shared), proof: undefined }
  attempt.params = { ...attempt.params, resource: app.issuer, scope: 'read:agents' }
  return attempt
}

/** URLs come to rest in logs of every kind: what stands in one must not be a credential that worked. */
async function isNowhere(text: string): Promise<void> {
  await ctx.unauthenticated.flush(ctx)
  assert.ok(app.log.length > 0)
  assert.deepEqual(
    app.log.filter(line => line.includes(text)),
    [],
  )
  const rows = await ctx.db.selectFrom('audit_event').selectAll().execute()
  assert.ok(rows.length > 0)
  assert.equal(JSON.stringify(rows).includes(text), false)
}

test('[attack 118] an access token in the query opens neither of our APIs, and stands in no log line and no row (RFC 9700 section 4.3.2)', async () => {
  const token = String((await send(world, asked())).body.access_token)
  const path = `/intent/agents/${shared.client_id}`
  const { host, port } = new URL(app.issuer)
  const get = (target: string, ...headers: string[]) =>
    exchange(Number(port), target, ['Host', host, ...headers], '', 'GET')
  assert.equal((await get(path, 'Authorization', `Bearer ${token}`)).status, 200)
  for (const query of [`access_token=${token}`, `Authorization=Bearer%20${token}`]) {
    const answer = await get(`${path}?${query}`)
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_token'])
    assert.match(String(answer.headers['www-authenticate']), /^DPoP algs=/)
    assert.equal(answer.text.includes(token), false)
  }
  const admin = await fetch(`${app.adminUrl}/admin/v1/clients?access_token=${token}`)
  assert.equal(admin.status, 401)
  assert.equal((await admin.text()).includes(token), false)
  await isNowhere(token)
})

test('[attack 118] credentials in the query of the token endpoint authenticate nobody, and stand in no log line and no row (RFC 6749 section 2.3.1)', async () => {
  const secret = String(shared.client_secret)
  const query = new URLSearchParams({ client_id: shared.client_id, client_secret: secret })
  const inQuery = { ...asked(), client: { ...shared, client_secret: '' } }
  inQuery.params = { ...inQuery.params, client_id: undefined, client_secret: undefined }
  const attempt = { ...inQuery, path: `/oauth/token?${query}` }
  const expected = { status: 401, error: 'invalid_client', reason: 'no_credentials', audited: false } as const
  await refused(world, attempt, expected, asked())
  await isNowhere(secret)
  // Nor does it count beside the body: one request has one way to say who asks.
  const other = `/oauth/token?${new URLSearchParams({ client_id: 'nobody', client_secret: 'x', scope: 'admin' })}`
  const beside = await send(world, { ...asked(), path: other })
  assert.deepEqual([beside.status, beside.body.scope], [200, 'read:agents'])
})
