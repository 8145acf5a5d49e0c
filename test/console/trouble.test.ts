import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HTTPRequest, Page } from 'puppeteer-core'
import { startTestApp } from '../support/app.ts'
import { givenClient } from '../support/given.ts'
import { advance, auditRows } from './given.ts'
import { launchChromium, needsChromium } from './support.ts'
import { confirm, givenWaiting, open, press, shows, signedIn } from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'

/** Lets `meddle` answer a request first; what it leaves goes to the server. */
async function meddleWith(page: Page, meddle: (request: HTTPRequest) => Promise<unknown> | undefined): Promise<void> {
  await page.setRequestInterception(true)
  page.on('request', request => void (meddle(request) ?? request.continue()))
}

test(
  'an act whose answer is lost is sent again under the same key and done once (section 11)',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    await givenWaiting(app, client)
    const { page } = await signedIn(app, await launchChromium(), OTTO)
    const keys: (string | undefined)[] = []
    await meddleWith(page, request => {
      if (!request.url().endsWith('/approve')) return undefined
      keys.push(request.headers()['idempotency-key'])
      if (keys.length > 1) return undefined
      // It reaches the server, but its answer does not reach the page.
      const { cookie: _, ...headers } = request.headers()
      return page
        .browserContext()
        .cookies()
        .then(cookies =>
          fetch(request.url(), {
            method: 'POST',
            headers: { ...headers, cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') },
            body: request.postData() ?? '',
          }),
        )
        .then(answer => assert.equal(answer.status, 200))
        .then(() => request.abort('connectionreset'))
    })
    await open(page, `#/agents/${client.client_id}/planner`)
    await press(page, 'Approve')
    await confirm(page, 'Approve')
    await shows(page, 'Version 2 is approved and counts now.')
    assert.equal(keys.length, 2)
    assert.match(keys[0] ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(keys[1], keys[0])
    const acts = await auditRows(app, 'agent.approve', client.client_id)
    assert.deepEqual(
      acts.map(row => row.outcome),
      ['success'],
    )
  },
)

test('a server that asks for patience is asked again after it (429, 503)', needsChromium, async () => {
  const { page } = await signedIn(app, await launchChromium(), OTTO)
  let asked = 0
  await meddleWith(page, request => {
    if (!request.url().includes('/admin/v1/clients') || asked++ > 0) return undefined
    const body = JSON.stringify({ code: 'temporarily_unavailable', detail: 'Try again soon.', status: 503 })
    return request.respond({
      status: 503,
      headers: { 'retry-after': '2' },
      contentType: 'application/problem+json',
      body,
    })
  })
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'Try again soon. Asked again in 2 s.')
  await shows(page, 'clients')
  await page.waitForSelector('tbody a')
  assert.equal(asked, 2)
})

test('a server that does not answer is said, and asked again by hand', needsChromium, async () => {
  const { page } = await signedIn(app, await launchChromium(), OTTO)
  let down = true
  await meddleWith(page, request => (down && request.url().includes('/admin/') ? request.abort() : undefined))
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'The server does not answer.')
  down = false
  await press(page, 'Try again')
  await page.waitForSelector('tbody a')
})

test('a session that is over brings the sign-in view, and nothing that was shown stays', needsChromium, async () => {
  const client = await givenClient(app)
  await givenWaiting(app, client)
  const { page } = await signedIn(app, await launchChromium(), OTTO)
  await open(page, `#/agents/${client.client_id}/planner`)
  await advance(app, 900)
  await page.evaluate("location.hash = '#/clients'")
  await shows(page, 'The session is over.')
  assert.equal(await page.evaluate("document.body.innerText.includes('planner')"), false)
})
