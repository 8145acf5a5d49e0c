import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HTTPRequest, Page } from 'puppeteer-core'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { asPage, givenLink, signIn } from './given.ts'
import { launchChromium, needsChromium } from './support.ts'
import { answer, CLEAN, clean, open, press, shows, signedIn } from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const EVE = 'user:local:eve'

/** Both halves of the session that the page has. */
async function halves(page: Page) {
  const cookies = await page.browserContext().cookies()
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  return { cookie, marker: String(await page.evaluate("localStorage.getItem('remit-console-marker')")) }
}

/** Holds such requests back until they are let go. */
async function holding(page: Page, isHeld: (request: HTTPRequest) => boolean) {
  const held: HTTPRequest[] = []
  let open = false
  await page.setRequestInterception(true)
  page.on('request', request => {
    if (open || !isHeld(request)) return void request.continue()
    held.push(request)
  })
  return async () => {
    open = true
    for (const request of held) await request.continue()
  }
}

async function isShown(page: Page, text: string): Promise<unknown> {
  return await page.evaluate(`document.body.innerText.includes(${JSON.stringify(text)})`)
}

test(
  '[attack 113] a second link in the same tab signs its person in, and the session before it is over for good',
  needsChromium,
  async () => {
    const eve = await givenAdmin(app, { owner: EVE })
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page, admin } = who
    await open(page, '#/decisions')
    const before = await halves(page)
    const letGo = await holding(page, request => request.method() === 'POST')
    const { url, code } = await givenLink(app, eve)
    await page.goto(url)
    await shows(page, 'Looking who is signed in')
    assert.equal(await page.evaluate('location.hash'), '#/agents', 'the code leaves the address at once')
    assert.equal(await isShown(page, admin.client_id), false, 'nobody sees the view of the person before')
    await letGo()
    await shows(page, `${eve.client_id} for ${EVE}`)
    assert.equal(await isShown(page, admin.client_id), false)
    assert.equal(await page.evaluate("document.querySelector('h1').innerText"), 'Agents')
    assert.equal(await page.evaluate(`document.documentElement.outerHTML.includes('${code}')`), false)
    assert.equal((await asPage(app, before, '/console/session')).status, 401, 'both halves of it open nothing more')
    assert.equal((await asPage(app, await halves(page), '/console/session')).status, 200)
    await page.reload()
    await shows(page, `${eve.client_id} for ${EVE}`)
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('a link is opened where the page asks for one, after a sign-out', needsChromium, async () => {
  const eve = await givenAdmin(app, { owner: EVE })
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await press(page, 'Sign out')
  await shows(page, 'remit console')
  await page.goto((await givenLink(app, eve)).url)
  await shows(page, `${eve.client_id} for ${EVE}`)
  assert.deepEqual(clean(who), CLEAN)
})

test('of two links opened one upon the other, the last one counts', needsChromium, async () => {
  const [eve, ada] = [await givenAdmin(app, { owner: EVE }), await givenAdmin(app, { owner: 'user:local:ada' })]
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  const letGo = await holding(page, request => request.method() === 'DELETE')
  await page.goto((await givenLink(app, eve)).url)
  await page.goto((await givenLink(app, ada)).url)
  await letGo()
  await shows(page, ada.client_id)
  assert.equal(await isShown(page, eve.client_id), false)
  await page.reload()
  await shows(page, ada.client_id)
  assert.deepEqual(clean(who), CLEAN)
})

test('a late answer to the person before does not sign out whoever came after', needsChromium, async () => {
  const eve = await givenAdmin(app, { owner: EVE })
  const client = await givenClient(app)
  await givenAgent(app, client, 'planner')
  const { page } = await signedIn(app, await launchChromium(), OTTO)
  const letGo = await holding(page, request => request.url().endsWith('/suspend'))
  await open(page, `#/agents/${client.client_id}/planner`)
  await press(page, 'Suspend')
  await answer(page, 'wrong addressees')
  await page.keyboard.press('Enter')
  await shows(page, 'Sending')
  await page.goto((await givenLink(app, eve)).url)
  await shows(page, eve.client_id)
  const late = page.waitForResponse(response => response.url().endsWith('/suspend'))
  await letGo()
  assert.equal((await late).status(), 401, 'nor does it act by the session of that person')
  await open(page, '#/clients')
  await shows(page, eve.client_id)
})

test('a used link in the same tab shows nobody, and says why', needsChromium, async () => {
  const { page, admin } = await signedIn(app, await launchChromium(), OTTO)
  const used = await givenLink(app, admin)
  assert.equal((await signIn(app, used.code)).status, 200)
  await page.goto(used.url)
  await shows(page, 'This link was used or is over')
  assert.equal(await isShown(page, admin.client_id), false)
  assert.equal(await page.evaluate('location.hash'), '#/agents')
})
