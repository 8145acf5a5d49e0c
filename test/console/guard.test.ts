import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { buildApp } from '../../src/server/app.ts'
import { transaction } from '../../src/server/context.ts'
import { insertRevocations, type RevocationRef } from '../../src/server/store/revocations.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { rawRequest } from '../support/raw-http.ts'
import {
  asPage,
  auditRows,
  givenLink,
  givenSession,
  pageHeaders,
  postLink,
  type Session,
  signIn,
  state,
} from './given.ts'

const app = await startTestApp()
const own = new URL(app.adminUrl)
const WHO = '/console/session'
const CLIENTS = '/admin/v1/clients'

/** What a page of another origin can make a browser send, and what it could hope that we overlook. */
const FOREIGN: Readonly<
  Record<string, { headers: Record<string, string | undefined>; reason: string; reads: boolean }>
> = {
  'no header of the console': { headers: { 'x-remit-console': undefined }, reason: 'console_header', reads: true },
  'another site': { headers: { 'sec-fetch-site': 'cross-site' }, reason: 'console_site', reads: true },
  'another port of this host': { headers: { 'sec-fetch-site': 'same-site' }, reason: 'console_site', reads: true },
  'a typed address': { headers: { 'sec-fetch-site': 'none' }, reason: 'console_site', reads: true },
  'no origin': { headers: { origin: undefined }, reason: 'console_origin', reads: false },
  'an opaque origin': { headers: { origin: 'null' }, reason: 'console_origin', reads: true },
  'the origin of another port': { headers: { origin: app.issuer }, reason: 'console_origin', reads: true },
  'the same host by another name': {
    headers: { origin: `http://localhost:${own.port}` },
    reason: 'console_origin',
    reads: true,
  },
  'an origin that begins like ours': {
    headers: { origin: `${own.origin}.evil.example` },
    reason: 'console_origin',
    reads: true,
  },
}

function changed(headers: Record<string, string | undefined>, marker?: string): Record<string, string> {
  const merged = Object.entries({ ...pageHeaders(app, marker), ...headers })
  return Object.fromEntries(merged.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

test('[attack 113] a request that the page did not send is refused and changes nothing, whatever cookie it has', async () => {
  const session = await givenSession(app)
  const { code } = await givenLink(app, session.admin)
  const body = { resource: 'https://forged.example', scopes: [{ name: 'read' }] }
  const before = await state(app)
  for (const [name, { headers: over, reason, reads }] of Object.entries(FOREIGN)) {
    const headers = changed(over, session.marker)
    const reading = [await asPage(app, session, CLIENTS, { headers }), await asPage(app, session, WHO, { headers })]
    for (const { status } of reading) assert.equal(status, reads ? 403 : 200, name)
    const writing = [
      await asPage(app, session, '/admin/v1/resources', { method: 'POST', body, headers }),
      await asPage(app, session, WHO, { method: 'DELETE', headers }),
      await asPage(app, session, WHO, { method: 'POST', body: { code }, headers: changed(over) }),
    ]
    for (const response of writing) {
      assert.equal(response.status, 403, name)
      assert.equal((await jsonOf(response)).code, 'forbidden', name)
      assert.equal(response.headers.get('set-cookie'), null)
    }
    assert.ok(app.log.at(-2)?.includes(`"reason":"${reason}"`), `${name}: ${app.log.at(-2)}`)
  }
  assert.equal(await state(app), before)
  assert.equal((await signIn(app, code)).status, 200, 'the code was not used up')
  const noSite = await asPage(app, session, CLIENTS, {
    headers: changed({ 'sec-fetch-site': undefined }, session.marker),
  })
  assert.equal(noSite.status, 200, 'a browser without Fetch Metadata works')
})

test('[attack 113] no answer allows another origin anything: preflights are refused without CORS headers', async () => {
  for (const path of [WHO, CLIENTS, '/admin/v1/console/links', '/console/']) {
    const headers = {
      origin: 'https://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-remit-console',
    }
    const { status, headers: answered } = await fetch(`${app.adminUrl}${path}`, { method: 'OPTIONS', headers })
    assert.equal(status, 405, path)
    assert.deepEqual(
      [...answered.keys()].filter(name => name.startsWith('access-control-')),
      [],
      path,
    )
    assert.equal(answered.get('cross-origin-resource-policy'), 'same-origin')
    assert.equal(answered.get('x-frame-options'), 'DENY')
  }
})

test('two credentials are 400: which of them counts must not be a guess', async () => {
  const session = await givenSession(app)
  const url = `${app.adminUrl}${CLIENTS}`
  const bound = await boundHeaders(app, session.admin, session.token, { method: 'GET', url })
  const both = await asPage(app, session, CLIENTS, { headers: { ...pageHeaders(app, session.marker), ...bound } })
  assert.equal(both.status, 400)
  const cookies = `${session.cookie}; a=b; ${session.cookie}`
  const twice = await asPage(app, { ...session, cookie: cookies }, CLIENTS)
  assert.equal(twice.status, 400)
  assert.equal((await jsonOf(twice)).detail, 'Send one console cookie; delete the cookies of this site.')
  const cookie = `a=b; ${session.cookie}; Remit_console=x; xremit_console=y`
  const among = await asPage(app, { ...session, cookie }, CLIENTS)
  assert.equal(among.status, 200)
  for (const cookie of [`${session.cookie}x`, 'remit_console=', `__Host-${session.cookie}`, 'a=b']) {
    assert.equal((await asPage(app, { ...session, cookie }, CLIENTS)).status, 401, cookie)
  }
})

test('[attack 113, 118] the cookie opens no route of the issuer, no bootstrap, and makes no new link', async () => {
  const session = await givenSession(app)
  const shared = await startTestApp({ env: { REMIT_ADMIN_LISTEN: 'same' } })
  const there = await givenSession(shared)
  const issuerRoutes = ['/intent/agents/some-name', '/intent/workflows/some-name']
  for (const [of, { cookie, marker }, base] of [
    [app, session, app.issuer],
    [shared, there, shared.issuer],
  ] as const) {
    for (const path of issuerRoutes) {
      const { status } = await fetch(`${base}${path}`, { headers: { ...pageHeaders(of, marker), cookie } })
      assert.equal(status, 401, path)
    }
  }
  assert.equal((await asPage(shared, there, CLIENTS)).status, 200, 'one listener for both')
  const bootstrap = { client_name: 'x', jwks: { keys: [] }, owner: 'user:local:x' }
  assert.equal((await asPage(app, session, '/admin/v1/bootstrap', { method: 'POST', body: bootstrap })).status, 401)
  const link = await asPage(app, session, '/admin/v1/console/links', { method: 'POST', body: {} })
  assert.equal(link.status, 403)
  assert.equal((await jsonOf(link)).detail, "A console session makes no links; run 'remit console' again.")
  const row = (await auditRows(app, 'console.link', session.admin.client_id)).find(
    ({ outcome }) => outcome === 'refused',
  )
  assert.deepEqual([row?.reason, row?.details.via], ['console_session', 'console'])
})

/** What a session stands on, and how it falls. */
const ENDS: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
  'its token': ({ token }) => revoke({ kind: 'token', id: String(decodeJwt(token).jti) }),
  'the key of its token': ({ admin }) => revoke({ kind: 'key', id: admin.dpopKey.jkt }),
  'the key that signed its token': ({ token }) => revoke({ kind: 'key', id: String(decodeProtectedHeader(token).kid) }),
  'its client, by an entry': ({ admin }) => revoke({ kind: 'client', id: admin.client_id }),
  'its subject': ({ admin }) => revoke({ kind: 'initiator', id: admin.client_id }),
  'its client, by its state': ({ admin }) => updateClient(admin.client_id, { status: 'revoked' }),
  'the owner of its client': ({ admin }) => updateClient(admin.client_id, { owner: 'user:local:eve' }),
}

async function revoke(entry: RevocationRef): Promise<void> {
  const act = { reason: 'test', revoked_by: 'test', now: app.ctx.now() }
  await transaction(app.ctx, tx => insertRevocations(tx, [entry], act))
}

async function updateClient(client_id: string, change: { status: 'revoked' } | { owner: string }): Promise<void> {
  await app.ctx.db.updateTable('client').set(change).where('client_id', '=', client_id).execute()
}

test('[attack 113] a session, and a link, falls with what it stands on', async () => {
  for (const [name, end] of Object.entries(ENDS)) {
    const session = await givenSession(app)
    const { code } = await givenLink(app, session.admin)
    const ofToken = name === 'its token'
    assert.equal((await asPage(app, session, CLIENTS)).status, 200, name)
    await end(session)
    assert.equal((await asPage(app, session, CLIENTS)).status, 401, name)
    assert.equal((await asPage(app, session, WHO)).status, 401, name)
    assert.equal((await signIn(app, code)).status, ofToken ? 200 : 401, name)
    await app.ctx.db.updateTable('revocation').set({ lifted_at: app.ctx.now() }).execute()
  }
})

test('a session and a link of before a restore are over: what was used since its backup is not known', async () => {
  const session = await givenSession(app)
  const { code } = await givenLink(app, session.admin)
  const restored = await buildApp({ ...app.ctx, notBefore: app.clock.seconds() + 1 })
  const headers = { ...pageHeaders(app, session.marker), host: own.host, cookie: session.cookie }
  assert.equal((await restored.admin.inject({ url: WHO, headers })).statusCode, 401)
  const atSignIn = { ...pageHeaders(app), host: own.host }
  const signingIn = { method: 'POST', url: WHO, headers: atSignIn, payload: { code } } as const
  assert.equal((await restored.admin.inject(signingIn)).statusCode, 401)
  assert.equal((await asPage(app, session, WHO)).status, 200)
})

test('once revoking the client has answered, its session is over on every node (section 9)', async () => {
  const session = await givenSession(app)
  const other = await buildApp(app.ctx)
  const headers = { ...pageHeaders(app, session.marker), host: own.host, cookie: session.cookie }
  assert.equal((await other.admin.inject({ url: CLIENTS, headers })).statusCode, 200)
  const revoker = await givenSession(app, 'revoke')
  const body = { kind: 'client', id: session.admin.client_id, reason: 'lost laptop' }
  const revoked = await asPage(app, revoker, '/admin/v1/revocations', { method: 'POST', body })
  assert.equal(revoked.status, 201)
  assert.equal((await other.admin.inject({ url: CLIENTS, headers })).statusCode, 401)
  assert.equal((await asPage(app, session, CLIENTS)).status, 401)
})

test('[attack 113] the console answers to the name of its listener only, against DNS rebinding', async () => {
  const { cookie, marker } = await givenSession(app)
  for (const path of ['/console', '/console/', '/console/assets/app.js', WHO, CLIENTS]) {
    const halves = [`Cookie: ${cookie}`, `X-Remit-Console: ${marker}`]
    const lines = [`GET ${path} HTTP/1.1`, 'Host: NAME', ...halves, '', '']
    const asked = (name: string) => rawRequest(app.adminUrl, lines.join('\r\n').replace('NAME', name))
    assert.notEqual((await asked(own.host)).status, 400, path)
    for (const name of ['evil.example', `evil.example:${own.port}`, `localhost:${own.port}`]) {
      const { status, headers, body } = await asked(name)
      assert.equal(status, 400, `${name} ${path}`)
      assert.match(body, /The Host header does not name this server/)
      assert.doesNotMatch(headers, /set-cookie/i)
    }
  }
})

test('the console is on the admin listener only, and a client that is no administrator gets no link', async () => {
  for (const path of ['/console', '/console/', '/console/assets/app.js', WHO]) {
    assert.equal((await fetch(`${app.issuer}${path}`, { headers: pageHeaders(app) })).status, 404, path)
  }
  const client = await givenClient(app)
  const token = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents' })
  assert.equal((await postLink(app, client, token)).status, 401)
})
