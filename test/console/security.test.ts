import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Browser, BrowserContext, Page } from 'puppeteer-core'
import { z } from 'zod'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { advance, asPage, givenLink, givenSession, signIn, state } from './given.ts'
import { forgeries, startHostileSite } from './hostile-site.ts'
import { launchChromium, needsChromium } from './support.ts'

const app = await startTestApp()
const own = new URL(app.adminUrl)

/** Opens a link as a person does. @returns the page, and whether the server signed it in */
async function open(where: Browser | BrowserContext, url: string): Promise<{ page: Page; status: number }> {
  const page = await where.newPage()
  const [response] = await Promise.all([page.waitForResponse(isSignIn), page.goto(url)])
  // The page keeps the marker a moment after the answer has come.
  if (response.ok()) await page.waitForFunction("localStorage.getItem('remit-console-marker') !== null")
  return { page, status: response.status() }
}

function isSignIn(response: { url: () => string; request: () => { method: () => string } }): boolean {
  return response.url() === `${app.adminUrl}/console/session` && response.request().method() === 'POST'
}

/** The header as the page sends it; an expression of the page. */
const HEADERS = "{ 'x-remit-console': localStorage.getItem('remit-console-marker') ?? '1' }"

/** What the page gets for this path when it asks as it always does. */
async function asked(page: Page, path: string): Promise<unknown> {
  return await page.evaluate(`fetch('${path}', { headers: ${HEADERS} }).then(answer => answer.status)`)
}

const lineSchema = z.looseObject({
  reqId: z.string().optional(),
  method: z.string().optional(),
  route: z.string().optional(),
  reason: z.string().optional(),
})

/** What was asked and why it was refused, by the log: a forgery that never came would prove nothing. */
function refusals(lines: readonly string[]): readonly string[] {
  const read = lines.map(line => lineSchema.parse(JSON.parse(line)))
  const reasons = new Map(read.flatMap(({ reqId, reason }) => (reason === undefined ? [] : [[reqId, reason] as const])))
  const requests = read.filter(({ reqId, route }) => route !== undefined && reasons.has(reqId))
  return [...new Set(requests.map(({ method, route, reqId }) => `${method} ${route} ${reasons.get(reqId)}`))].sort()
}

test(
  '[attack 113] the cookie of a session is read by no script and sent to this host only',
  needsChromium,
  async () => {
    const browser = await launchChromium()
    const { url, code } = await givenLink(app, await givenAdmin(app))
    const { page, status } = await open(browser, url)
    assert.equal(status, 200)
    const [cookie, ...others] = await browser.cookies()
    assert.deepEqual(others, [])
    const { name, domain, path, httpOnly, sameSite, secure } = cookie ?? {}
    const flags = {
      name: 'remit_console',
      domain: own.hostname,
      path: '/',
      httpOnly: true,
      sameSite: 'Strict',
      secure: false,
    }
    assert.deepEqual({ name, domain, path, httpOnly, sameSite, secure }, flags)
    assert.equal(await page.evaluate('document.cookie'), '')
    assert.equal(await asked(page, '/admin/v1/clients'), 200)
    const places = await page.evaluate('JSON.stringify([location.href, localStorage, sessionStorage, history.length])')
    assert.equal(String(places).includes(code), false, 'the code stays nowhere in the page')
  },
)

test('[attack 113] a link opens one browser, once, within a minute', needsChromium, async () => {
  const browser = await launchChromium()
  const admin = await givenAdmin(app)
  const { url } = await givenLink(app, admin)
  const contexts = await Promise.all([1, 2, 3].map(() => browser.createBrowserContext()))
  const opened = await Promise.all(contexts.map(context => open(context, url)))
  assert.deepEqual(opened.map(({ status }) => status).sort(), [200, 401, 401])
  const again = await open(await browser.createBrowserContext(), url)
  assert.equal(again.status, 401)
  const { url: late } = await givenLink(app, admin)
  await advance(app, 61)
  const context = await browser.createBrowserContext()
  assert.equal((await open(context, late)).status, 401)
  assert.deepEqual(await context.cookies(), [])
})

test(
  '[attack 113] a session in a browser ends after 900 s, by signing out, and with its client',
  needsChromium,
  async () => {
    const browser = await launchChromium()
    const ends = {
      'after 900 s': () => advance(app, 900),
      'by signing out': (page: Page) =>
        page.evaluate(`fetch('/console/session', { method: 'DELETE', headers: ${HEADERS} }).then(() => 1)`),
      'with its client': async (_page: Page, client_id: string) => {
        const body = { kind: 'client', id: client_id, reason: 'lost laptop' }
        const revoked = await asPage(app, await givenSession(app), '/admin/v1/revocations', { method: 'POST', body })
        assert.equal(revoked.status, 201)
      },
    }
    for (const [name, end] of Object.entries(ends)) {
      const admin = await givenAdmin(app)
      const { url } = await givenLink(app, admin)
      const { page } = await open(await browser.createBrowserContext(), url)
      assert.equal(await asked(page, '/admin/v1/clients'), 200, name)
      await end(page, admin.client_id)
      assert.equal(await asked(page, '/admin/v1/clients'), 401, name)
      assert.equal(await asked(page, '/console/session'), 401, name)
    }
  },
)

test('[attack 113] a page of another origin does nothing and reads nothing (CSRF)', needsChromium, async () => {
  const browser = await launchChromium()
  const site = await startHostileSite()
  const { page: victim } = await open(browser, (await givenLink(app, await givenAdmin(app))).url)
  const { code } = await givenLink(app, await givenAdmin(app))
  site.serve('<!doctype html><body></body>')
  const before = await state(app)
  for (const [origin, reason] of [
    // The browser sends the cookie along to another port: only the rules of the server refuse.
    [site.sameSite, 'console_header'],
    [site.otherSite, 'token_missing'],
  ] as const) {
    const from = app.log.length
    const page = await browser.newPage()
    await page.goto(`${origin}/`)
    assert.deepEqual(await page.evaluate(forgeries(app.adminUrl, code)), [], origin)
    assert.equal(await state(app), before, origin)
    assert.deepEqual(refusals(app.log.slice(from)), [
      `GET /admin/v1/clients ${reason}`,
      'GET /console/session console_header',
      'OPTIONS /admin/v1/clients method_not_allowed',
      'OPTIONS /admin/v1/resources method_not_allowed',
      'OPTIONS /console/session method_not_allowed',
      `POST /admin/v1/resources ${reason}`,
      'POST /console/session console_header',
    ])
    await page.close()
  }
  assert.equal(await asked(victim, '/admin/v1/clients'), 200)
  assert.equal((await signIn(app, code)).status, 200, 'nobody was signed in as somebody else')
})

test('[attack 113] the console in a frame of another origin stays empty (clickjacking)', needsChromium, async () => {
  const browser = await launchChromium()
  const site = await startHostileSite()
  await open(browser, (await givenLink(app, await givenAdmin(app))).url)
  const paths = ['/console/', '/console', '/console/assets/app.js', '/admin/v1/clients']
  const frames = [...paths.map(path => `${app.adminUrl}${path}`), '/own']
  site.serve(`<!doctype html><body>${frames.map(src => `<iframe src="${src}"></iframe>`).join('')}</body>`)
  for (const origin of [site.sameSite, site.otherSite]) {
    const page = await browser.newPage()
    await page.goto(`${origin}/`)
    const shown = page.frames().filter(frame => frame !== page.mainFrame())
    const urls = shown.map(frame => frame.url())
    assert.deepEqual(urls, [...paths.map(() => 'chrome-error://chromewebdata/'), `${origin}/own`])
    await page.close()
  }
})

test(
  '[attack 113] a name that was rebound to this machine opens neither the console nor the admin API',
  needsChromium,
  async () => {
    const browser = await launchChromium(['--host-resolver-rules=MAP evil.example 127.0.0.1'])
    const { url, code } = await givenLink(app, await givenAdmin(app))
    const rebound = `http://evil.example:${own.port}`
    const page = await browser.newPage()
    for (const path of ['/console/', '/console', '/console/assets/app.js', '/admin/v1/clients', '/console/session']) {
      assert.equal((await page.goto(`${rebound}${path}`))?.status(), 400, path)
      assert.equal(await asked(page, path), 400, path)
    }
    const body = JSON.stringify({ code })
    const init = `{ method: 'POST', headers: { 'x-remit-console': '1', 'content-type': 'application/json' }, body: '${body}' }`
    assert.equal(await page.evaluate(`fetch('/console/session', ${init}).then(answer => answer.status)`), 400)
    assert.deepEqual(await browser.cookies(), [])
    assert.equal((await open(browser, url)).status, 200, 'by its own name it opens, and the code was not used up')
  },
)
