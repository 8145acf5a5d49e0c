import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'puppeteer-core'
import { insertAuditRow } from '../../src/server/store/audit.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenAgent, givenClient } from '../support/given.ts'
import { launchChromium, needsChromium } from './support.ts'
import { answer, become, CLEAN, clean, open, press, shows, signedIn, texts } from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const HASH = 'location.hash'

/** Rows of the trail, a page of 200 and more where so many are asked for; the client's name is new. */
async function givenRows(actions: readonly string[], client_id: string, agent_id: string | null = null): Promise<void> {
  for (const action of actions) {
    await insertAuditRow(app.ctx, {
      ...{ action, outcome: 'success', reason: null, actor: client_id, client_id, agent_id },
      ...{ execution_id: null, jti: null, request_id: app.ctx.timeId(), address: null, details: {} },
    })
  }
}

async function typeInto(page: Page, name: string, text: string): Promise<void> {
  await page.locator(`::-p-aria([name="${name}"][role="textbox"])`).setTimeout(10_000).click()
  await page.keyboard.type(text)
}

/** Until the page has asked for new decisions again, and drawn them. */
async function polled(page: Page): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) {
    await page.waitForResponse(response => response.url().includes('/admin/v1/audit'), { timeout: 10_000 })
  }
}

const AGENT = "document.querySelectorAll('.filter input')[1]"

test('what is typed into a filter stays while decisions come, and applies without Enter', needsChromium, async () => {
  const client = await givenClient(app)
  await givenRows(['some.act'], client.client_id, 'planner')
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await open(page, '#/decisions')
  assert.equal(await page.evaluate(`${AGENT}.disabled`), true)
  await typeInto(page, 'Client', client.client_id.slice(0, 1))
  assert.equal(await page.evaluate(`${AGENT}.disabled`), false, 'an agent can be named as soon as a client is')
  await page.keyboard.type(client.client_id.slice(1))
  await page.waitForFunction(`${HASH} === '#/decisions?client_id=${client.client_id}'`, { timeout: 10_000 })
  await typeInto(page, 'Agent', 'planner ')
  await polled(page)
  const typed = `[...document.querySelector('form').querySelectorAll('.filter input')].map(input => input.value).join('|')`
  assert.equal(await page.evaluate(typed), `${client.client_id}|planner ||`)
  await become(page, 'tbody td:nth-child(3) code', ['some.act'])
  await page.keyboard.press('Backspace')
  await page.keyboard.type('2')
  await page.keyboard.press('Enter')
  assert.match(String(await page.evaluate(HASH)), /agent_id=planner2$/, 'Enter does not wait')
  await shows(page, 'Nothing was decided yet that matches.')
  assert.deepEqual(clean(who), CLEAN)
})

test(
  'what is typed while the page looks is not lost, and a link brings a filter of its own',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/decisions?client_id=${client.client_id}`)
    await typeInto(page, 'Reason', 'r')
    for (const part of ['evo', 'ked']) {
      await page.keyboard.type(part)
      await polled(page)
    }
    await page.waitForFunction(`${HASH}.endsWith('reason=revoked')`, { timeout: 10_000 })
    await open(page, '#/decisions?action=token.issue')
    await page.waitForFunction("document.querySelectorAll('.filter input')[2].value === 'token.issue'")
    assert.equal(await page.evaluate("document.querySelectorAll('.filter input')[0].value"), '')
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('the trail is filtered by action, and paged to its beginning while paused', needsChromium, async () => {
  const client = await givenClient(app)
  await givenRows(['first.act'], client.client_id)
  app.clock.advance(1)
  await givenRows(Array(205).fill('later.act'), client.client_id)
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  const rows = 'document.querySelectorAll("tbody tr").length'
  await open(page, `#/decisions?client_id=${client.client_id}`)
  await shows(page, 'There are older ones: pause to page to them.')
  assert.equal(await page.evaluate(rows), 200)
  await press(page, 'Pause')
  await press(page, 'Older')
  await shows(page, 'There is nothing older that matches.')
  const actions = await texts(page, 'tbody .what code')
  assert.equal(actions.indexOf('first.act') >= 205, true)
  assert.equal(new Set(await links(page)).size, actions.length, 'no row twice')
  await typeInto(page, 'Action', 'first.act')
  await become(page, 'tbody .what code', ['first.act'])
  await shows(page, 'Paused.')
  assert.deepEqual(clean(who), CLEAN)
})

async function links(page: Page): Promise<readonly string[]> {
  const found = "[...document.querySelectorAll('tbody td:first-child > a')].map(link => link.href).join(' ')"
  return String(await page.evaluate(found)).split(' ')
}

test(
  'a row has a link that says Explain, its time with a zone, and for whom its actor acted',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    await givenAgent(app, client, 'planner')
    await accessToken(app, client, { resource: app.issuer, scope: 'no-such-scope' }).catch(() => {})
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/agents/${client.client_id}/planner`)
    await press(page, 'Suspend')
    await answer(page, 'wrong addressees')
    await page.keyboard.press('Enter')
    await shows(page, 'planner is suspended')
    await open(page, `#/decisions?client_id=${client.client_id}&agent_id=planner&action=agent.suspend`)
    await shows(page, `${who.admin.client_id} for ${OTTO}`)
    await become(page, 'tbody td:nth-child(5)', [`${who.admin.client_id} for ${OTTO}`])
    assert.match((await texts(page, 'tbody time')).join(), /^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC([+-]\d+(:\d\d)?)?$/)
    await page.locator('tbody td:last-child ::-p-text(Explain)').setTimeout(10_000).click()
    await shows(page, 'The audit row')
    assert.deepEqual(clean(who), CLEAN)
  },
)

test(
  'an explanation leads back to the decisions with their filters, by its link and by the browser',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    await givenRows(['some.act', 'other.act'], client.client_id)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    const place = `#/decisions?client_id=${client.client_id}&action=some.act`
    await open(page, place)
    await become(page, 'tbody .what code', ['some.act'])
    assert.match(
      (await texts(page, 'tbody time')).join(),
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/,
      'the date of today too',
    )
    for (const back of [() => page.locator('.crumb a').setTimeout(10_000).click(), () => page.goBack()]) {
      await page.locator('tbody td:last-child ::-p-text(Explain)').setTimeout(10_000).click()
      await shows(page, 'The audit row')
      await back()
      await become(page, 'tbody .what code', ['some.act'])
      assert.equal(await page.evaluate(HASH), place)
    }
    await typeInto(page, 'Explain an id (token jti, request id or audit row)', 'no such id')
    await page.keyboard.press('Enter')
    await shows(page, 'must be a jti, an audit id or a request id')
    await page.locator('.crumb a').setTimeout(10_000).click()
    await become(page, 'tbody .what code', ['some.act'])
    assert.deepEqual(clean(who), CLEAN)
  },
)
