import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'puppeteer-core'
import { sha256 } from '../../src/protocol/digest.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { advance, asPage, givenLink, givenSession, pageHeaders, type Session, signIn, state } from './given.ts'
import { startHostileSite } from './hostile-site.ts'
import { launchChromium, needsChromium } from './support.ts'
import { press, shows } from './walk.ts'

const app = await startTestApp()
const WHO = '/console/session'
const CLIENTS = '/admin/v1/clients'
const RESOURCE = { resource: 'https://forged.example', scopes: [{ name: 'read' }] }
const KEPT = "localStorage.getItem('remit-console-marker')"

/** Everything that a session does, with a header of whoever has only its cookie. */
async function tryEverything(session: Pick<Session, 'cookie'>, marker: string): Promise<readonly Response[]> {
  const given = { ...session, marker }
  return [
    await asPage(app, given, CLIENTS),
    await asPage(app, given, CLIENTS, { method: 'HEAD' }),
    await asPage(app, given, '/admin/v1/resources', { method: 'POST', body: RESOURCE }),
    await asPage(app, given, WHO),
    await asPage(app, given, WHO, { method: 'HEAD' }),
    await asPage(app, given, WHO, { method: 'DELETE' }),
  ]
}

/** What whoever has the cookie can think of as the other half. */
function guesses({ cookie, code, marker }: Session, other: Session): readonly string[] {
  const secret = cookie.split('=')[1] ?? ''
  const first = marker.startsWith('A') ? 'B' : 'A'
  return [
    ...['1', '', 'true', 'null', 'undefined', 'A'.repeat(43), secret, code, other.marker],
    ...[sha256(marker).toString('base64url'), sha256(marker).toString('hex')],
    ...[`${marker}, ${marker}`, `${marker}=`, marker.slice(1), marker.slice(0, -1), first + marker.slice(1)],
  ]
}

test('[attack 113] the cookie alone opens nothing, with any value of the header: another port is sent it', async () => {
  const session = await givenSession(app)
  const other = await givenSession(app)
  const before = await state(app)
  for (const marker of guesses(session, other)) {
    const statuses = (await tryEverything(session, marker)).map(response => response.status)
    assert.deepEqual(statuses, Array(6).fill(401), marker)
  }
  assert.equal(await state(app), before)
  assert.equal((await asPage(app, session, CLIENTS)).status, 200)
  assert.equal((await asPage(app, session, WHO)).status, 200)
})

test('[attack 113] the marker alone opens nothing, nor with the cookie of a session of the same client', async () => {
  const session = await givenSession(app)
  const same = await givenSession(app, undefined, session.admin)
  for (const cookie of ['remit_console=', `remit_console=${session.marker}`, same.cookie, 'a=b']) {
    const statuses = (await tryEverything({ cookie }, session.marker)).map(response => response.status)
    assert.deepEqual(statuses, Array(6).fill(401), cookie)
  }
})

test('one answer for a marker of another session, a session that is over, and one that never was', async () => {
  const session = await givenSession(app)
  const ended = await givenSession(app)
  await asPage(app, ended, WHO, { method: 'DELETE' })
  const unknown = { cookie: `remit_console=${'A'.repeat(43)}`, marker: session.marker }
  const answers = []
  for (const given of [{ ...session, marker: ended.marker }, ended, unknown]) {
    for (const path of [CLIENTS, WHO]) {
      const response = await asPage(app, given, path)
      const { request_id: _, ...body } = await jsonOf(response)
      assert.equal(response.headers.get('set-cookie'), null)
      answers.push({ status: response.status, challenge: response.headers.get('www-authenticate'), path, body })
    }
  }
  for (const answer of answers) {
    assert.deepEqual(
      answer,
      answers.find(({ path }) => path === answer.path),
    )
    assert.equal(answer.status, 401)
    assert.equal(answer.body.detail, "The console session is over; run 'remit console' for a new link.")
  }
})

test('[attack 113] signing in takes the plain header only, and another value does not use up the code', async () => {
  const session = await givenSession(app)
  const { code } = await givenLink(app, session.admin)
  for (const value of ['true', '1, 1', '', session.marker]) {
    const refused = await signIn(app, code, pageHeaders(app, value))
    assert.deepEqual([refused.status, refused.headers.get('set-cookie')], [403, null], value)
    assert.ok(app.log.at(-2)?.includes('"reason":"console_header"'), `${value}: ${app.log.at(-2)}`)
  }
  assert.equal((await signIn(app, code)).status, 200)
})

/** A new browser of its own that opened a link. */
async function opened() {
  const browser = await (await launchChromium()).createBrowserContext()
  const page = await browser.newPage()
  const admin = await givenAdmin(app)
  await page.goto((await givenLink(app, admin)).url)
  await shows(page, admin.client_id)
  return { browser, page, admin }
}

async function keptIn(page: Page): Promise<string> {
  return String(await page.evaluate(KEPT))
}

test(
  '[attack 113] another port of this host gets the cookie from the browser, but no marker, and so nothing',
  needsChromium,
  async () => {
    const { browser, page } = await opened()
    const marker = await keptIn(page)
    assert.match(marker, /^[A-Za-z0-9_-]{43}$/)
    const site = await startHostileSite()
    site.serve('<!doctype html><body></body>')
    const visit = await browser.newPage()
    await visit.goto(`${site.sameSite}/`)
    const cookie = /remit_console=[A-Za-z0-9_-]{43}/.exec(site.heard.join('\n'))?.[0] ?? ''
    assert.notEqual(cookie, '', 'cookies know no ports: that server was sent it')
    assert.equal(site.heard.join('\n').includes(marker), false)
    assert.equal(await keptIn(visit), 'null', 'an origin does')
    const before = await state(app)
    for (const value of ['1', 'A'.repeat(43), cookie.split('=')[1] ?? '']) {
      const statuses = (await tryEverything({ cookie }, value)).map(response => response.status)
      assert.deepEqual(statuses, Array(6).fill(401), value)
    }
    assert.equal(await state(app), before)
    assert.equal((await asPage(app, { cookie, marker }, CLIENTS)).status, 200, 'both halves are the session')
  },
)

test('a reload and a second tab of the page go on, until one of them signs out', needsChromium, async () => {
  const { browser, page, admin } = await opened()
  await page.reload()
  await shows(page, admin.client_id)
  const second = await browser.newPage()
  await second.goto(`${app.adminUrl}/console/`)
  await shows(second, admin.client_id)
  await press(second, 'Sign out')
  await shows(second, 'remit console')
  assert.equal(await keptIn(second), 'null')
  await page.bringToFront()
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'The session is over.')
  await page.reload()
  await shows(page, 'remit console')
})

test('a page that finds its session over keeps nothing of it', needsChromium, async () => {
  const { page } = await opened()
  await advance(app, 900)
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'The session is over.')
  assert.equal(await keptIn(page), 'null')
})

test('a tab never acts by another session than the one it shows, nor ends it', needsChromium, async () => {
  const { browser, page } = await opened()
  const later = await givenAdmin(app)
  const second = await browser.newPage()
  await second.goto((await givenLink(app, later)).url)
  await shows(second, later.client_id)
  await page.bringToFront()
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'The session is over.')
  await second.bringToFront()
  await second.reload()
  await shows(second, later.client_id)
})

test('a used link leaves the session that the browser has', needsChromium, async () => {
  const { browser, page, admin } = await opened()
  const used = await givenLink(app, admin)
  assert.equal((await signIn(app, used.code)).status, 200)
  const second = await browser.newPage()
  await second.goto(used.url)
  await shows(second, 'This link was used or is over')
  await page.bringToFront()
  await page.reload()
  await shows(page, admin.client_id)
})

test('signing out without an answer leaves the browser nothing to go on with', needsChromium, async () => {
  const { page } = await opened()
  await page.setRequestInterception(true)
  page.on('request', request => void (request.method() === 'DELETE' ? request.abort() : request.continue()))
  await press(page, 'Sign out')
  await shows(page, 'The server does not answer.')
  assert.equal(await keptIn(page), 'null')
})
