import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { sha256 } from '../../src/protocol/digest.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { endedCookie, sessionCookie } from '../../src/server/http/console/session-cookie.ts'
import { purgeConsoleSessions } from '../../src/server/store/console-sessions.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { advance, asPage, auditRows, givenLink, givenSession, postLink, signIn } from './given.ts'

const app = await startTestApp()
const LINKS = '/admin/v1/console/links'
const WHO = '/console/session'

test('a link holds its code in the fragment, is good for 60 s, and only the digest of the code rests', async () => {
  const admin = await givenAdmin(app)
  const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope: 'audit:read revoke' })
  const response = await postLink(app, admin, token, { 'idempotency-key': 'once' })
  assert.equal(response.status, 201)
  const { url, ...rest } = await jsonOf(response)
  const expires_at = new Date(app.ctx.now().getTime() + 60_000).toISOString()
  assert.deepEqual(rest, { expires_at })
  const [page, code = ''] = String(url).split('#code=')
  assert.equal(page, `${app.adminUrl}/console/`)
  assert.match(code, /^[A-Za-z0-9_-]{43}$/)
  const row = await app.ctx.db.selectFrom('console_session').selectAll().executeTakeFirstOrThrow()
  const { code_digest, jti, ...stored } = row
  assert.deepEqual(code_digest, sha256(code))
  assert.equal(decodeJwt(token).jti, jti)
  assert.deepEqual(stored, {
    ...{ client_id: admin.client_id, sub: admin.client_id, acting_owner: 'user:local:otto' },
    ...{ scope: 'audit:read revoke', created_at: app.ctx.now(), code_expires_at: new Date(expires_at) },
    ...{ session_digest: null, marker_digest: null, expires_at: null, ended_at: null },
  })
  const [audited] = await auditRows(app, 'console.link', admin.client_id)
  const details = { expires_at, caller: admin.client_id, acting_owner: 'user:local:otto' }
  assert.deepEqual(audited, {
    ...{ action: 'console.link', outcome: 'success', reason: null },
    ...{ actor: admin.client_id, client_id: admin.client_id, details },
  })
  const again = await jsonOf(await postLink(app, admin, token, { 'idempotency-key': 'once' }))
  assert.deepEqual(again, { url: page, expires_at }, 'a repeat shows no secret (section 11)')
})

test('the code is traded once for a cookie that no script reads and no other site sends, and a marker, for 900 s', async () => {
  const admin = await givenAdmin(app)
  const { code } = await givenLink(app, admin)
  const response = await signIn(app, code)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  const { marker, ...said } = await jsonOf(response)
  assert.deepEqual(said, {
    client_id: admin.client_id,
    acting_owner: 'user:local:otto',
    scope: ADMIN_SCOPES,
    expires_at: new Date(app.ctx.now().getTime() + 900_000).toISOString(),
  })
  const cookie = /^remit_console=([A-Za-z0-9_-]{43}); Max-Age=900; Path=\/; HttpOnly; SameSite=Strict$/
  const [, secret = ''] = cookie.exec(response.headers.get('set-cookie') ?? '') ?? []
  assert.match(String(marker), /^[A-Za-z0-9_-]{43}$/)
  assert.notEqual(marker, secret)
  const digests = await app.ctx.db
    .selectFrom('console_session')
    .select(['session_digest', 'marker_digest'])
    .where('code_digest', '=', sha256(code))
    .executeTakeFirstOrThrow()
  assert.deepEqual(digests, { session_digest: sha256(secret), marker_digest: sha256(String(marker)) })
  const who = await asPage(app, { cookie: `remit_console=${secret}`, marker: String(marker) }, WHO)
  assert.deepEqual(await jsonOf(who), said, 'the marker is said once')
  const [audited] = await auditRows(app, 'console.sign_in', admin.client_id)
  assert.deepEqual(audited?.details, { caller: admin.client_id, acting_owner: 'user:local:otto', via: 'console' })
})

test('on https the cookie is Secure with the prefix __Host-; else it has the path of the admin URL (RFC 6265bis)', () => {
  assert.equal(
    sessionCookie('https://admin.example/op', 's'),
    '__Host-remit_console=s; Max-Age=900; Path=/; HttpOnly; SameSite=Strict; Secure',
  )
  assert.equal(
    endedCookie('http://127.0.0.1:4001/op'),
    'remit_console=; Max-Age=0; Path=/op; HttpOnly; SameSite=Strict',
  )
})

test('[attack 113] a code that is used, over or unknown: one 401, counted as nobody’s', async () => {
  const admin = await givenAdmin(app)
  const used = await givenLink(app, admin)
  assert.equal((await signIn(app, used.code)).status, 200)
  const late = await givenLink(app, admin)
  const inTime = await givenLink(app, admin)
  app.clock.advance(59)
  assert.equal((await signIn(app, inTime.code)).status, 200)
  app.clock.advance(1)
  for (const code of [used.code, late.code, 'A'.repeat(43)]) {
    const response = await signIn(app, code)
    const { request_id: _, ...body } = await jsonOf(response)
    assert.equal(response.headers.get('set-cookie'), null)
    assert.deepEqual(body, {
      ...{ type: `${app.issuer}/errors/unauthorized`, title: 'Unauthorized', status: 401, code: 'unauthorized' },
      detail: "This link was used or is over; run 'remit console' for a new one.",
    })
  }
  await app.ctx.unauthenticated.flush(app.ctx)
  const [counted] = await auditRows(app, 'request.refuse', null)
  const count = { endpoint: WHO, reason: 'console_code', address: '127.0.0.1', n: 3 }
  assert.deepEqual(counted?.details, { counts: [count] })
})

test('[attack 113] of many browsers that open one link at once, one is signed in', async () => {
  const { code } = await givenLink(app, await givenAdmin(app))
  const answers = await Promise.all(Array.from({ length: 20 }, () => signIn(app, code)))
  assert.deepEqual(answers.map(answer => answer.status).sort(), [200, ...Array(19).fill(401)])
})

test('a session acts as its client, and the audit says that it was by the console (section 11)', async () => {
  const session = await givenSession(app)
  const body = { resource: 'https://api.example.com', scopes: [{ name: 'read' }] }
  const created = await asPage(app, session, '/admin/v1/resources', { method: 'POST', body })
  assert.equal(created.status, 201)
  const [row] = await auditRows(app, 'resource.create', session.admin.client_id)
  assert.equal(row?.actor, session.admin.client_id)
  assert.equal(row?.details.via, 'console')
  assert.equal((await asPage(app, session, '/admin/v1/clients', { method: 'HEAD' })).status, 200)
})

test('a session has the scopes of its token that the client still has, and no more', async () => {
  const session = await givenSession(app, 'audit:read admin:clients')
  const refused = await asPage(app, session, '/admin/v1/resources')
  assert.equal(refused.status, 403)
  assert.equal((await jsonOf(refused)).code, 'insufficient_scope')
  const [row] = await auditRows(app, 'request', session.admin.client_id)
  assert.deepEqual(row, {
    ...{ action: 'request', outcome: 'refused', reason: 'insufficient_scope' },
    ...{ actor: session.admin.client_id, client_id: session.admin.client_id },
    details: {
      ...{ endpoint: 'GET /admin/v1/resources', via: 'console' },
      ...{ caller: session.admin.client_id, acting_owner: 'user:local:otto' },
    },
  })
  const access = JSON.stringify([{ resource: `${app.issuer}/admin`, scope: 'audit:read' }])
  await app.ctx.db.updateTable('client').set({ access }).where('client_id', '=', session.admin.client_id).execute()
  assert.equal((await asPage(app, session, '/admin/v1/clients')).status, 403)
  assert.deepEqual((await jsonOf(await asPage(app, session, WHO))).scope, ['audit:read'])
  await app.ctx.db
    .updateTable('client')
    .set({ access: '[]' })
    .where('client_id', '=', session.admin.client_id)
    .execute()
  const left = await asPage(app, session, LINKS, { method: 'POST', body: {} })
  assert.equal((await jsonOf(left)).code, 'insufficient_scope', 'any scope is at least one')
})

test('signing out ends the session and its cookie', async () => {
  const session = await givenSession(app)
  const response = await asPage(app, session, WHO, { method: 'DELETE' })
  assert.equal(response.status, 204)
  assert.equal(response.headers.get('set-cookie'), 'remit_console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict')
  assert.equal((await asPage(app, session, '/admin/v1/clients')).status, 401)
  assert.equal((await asPage(app, session, WHO)).status, 401)
  assert.equal((await asPage(app, session, WHO, { method: 'DELETE' })).status, 401)
  const rows = await auditRows(app, 'console.sign_out', session.admin.client_id)
  assert.deepEqual(
    rows.map(row => row.outcome),
    ['success'],
  )
})

test('a session is over after 900 s, whatever happens in it', async () => {
  const session = await givenSession(app)
  await advance(app, 899)
  assert.equal((await asPage(app, session, '/admin/v1/clients')).status, 200)
  await advance(app, 1)
  const over = await asPage(app, session, '/admin/v1/clients')
  assert.equal(over.status, 401)
  const { code, detail } = await jsonOf(over)
  assert.equal(code, 'invalid_token')
  assert.equal(detail, "The console session is over; run 'remit console' for a new link.")
})

test('links and sessions are removed a day after they were made', async () => {
  await givenLink(app, await givenAdmin(app))
  const kept = async () => {
    await purgeConsoleSessions(app.ctx)
    return (await app.ctx.db.selectFrom('console_session').select('jti').execute()).length
  }
  await advance(app, 86_400)
  assert.equal(await kept(), 1)
  await advance(app, 1)
  assert.equal(await kept(), 0)
})

test('[attack 111] neither codes nor cookies nor markers are in the log or the audit trail', async () => {
  const session = await givenSession(app)
  const unused = await givenLink(app, session.admin)
  const wrong = 'canary'.padEnd(43, 'x')
  await signIn(app, wrong)
  await asPage(app, { cookie: `remit_console=${wrong}`, marker: wrong }, '/admin/v1/clients')
  await asPage(app, { ...session, marker: wrong }, '/admin/v1/clients')
  await asPage(app, session, WHO)
  await app.ctx.unauthenticated.flush(app.ctx)
  const audit = JSON.stringify(await app.ctx.db.selectFrom('audit_event').selectAll().execute())
  const rows = JSON.stringify(await app.ctx.db.selectFrom('idempotency').selectAll().execute())
  const secrets = [session.code, unused.code, session.cookie.split('=')[1] ?? '', session.marker, wrong]
  for (const secret of secrets) {
    assert.equal(secret.length, 43)
    for (const place of [app.log.join('\n'), audit, rows]) assert.equal(place.includes(secret), false)
  }
  assert.ok(app.log.length > 20)
})
