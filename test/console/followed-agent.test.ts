import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { givenAgent, givenClient } from '../support/given.ts'
import { launchChromium, needsChromium } from './support.ts'
import { become, CLEAN, clean, confirm, faster, givenWaiting, open, press, shows, signedIn, texts } from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const EVE = 'user:local:eve'

test('an open page of an agent shows what others do to it: a new version, a decision', needsChromium, async () => {
  const client = await givenClient(app)
  await givenAgent(app, client, 'planner')
  const browser = await launchChromium()
  const [otto, eve] = [await signedIn(app, browser, OTTO), await signedIn(app, browser, EVE)]
  const place = `#/agents/${client.client_id}/planner`
  await faster(otto.page)
  await open(otto.page, place)
  await become(otto.page, '.versions .badge', ['active'])
  await givenWaiting(app, client, 'planner')
  await become(otto.page, '.versions .badge', ['pending', 'pending', 'active'])
  assert.deepEqual(await texts(otto.page, '.rest > .title h2'), ['Version 1'], 'what was looked at stays')
  await (await otto.page.waitForSelector('.versions li:first-child a'))?.click()
  await shows(otto.page, 'Waits for approval')
  await open(eve.page, place)
  await press(eve.page, 'Approve')
  await shows(eve.page, 'The agent is given the key that version 3 proposes.')
  await confirm(eve.page, 'Approve')
  await become(otto.page, '.rest > .title .badge', ['active'])
  assert.equal((await texts(otto.page, 'button')).includes('Approve'), false)
  assert.deepEqual([clean(otto), clean(eve)], [CLEAN, CLEAN])
})

test('who may not approve reads so beside the button, and a client leads to its agents', needsChromium, async () => {
  const client = await givenClient(app, { owner: EVE })
  await givenAgent(app, await givenClient(app), 'other')
  await givenWaiting(app, client)
  const who = await signedIn(app, await launchChromium(), EVE)
  const { page } = who
  await open(page, `#/clients/${client.client_id}`)
  const policies = await texts(page, '.card:last-child dl > *')
  assert.equal(policies[policies.indexOf('limits') + 1], 'max_tokens: 16max_children: 16max_nodes: 256')
  await page.locator('::-p-text(Its agents)').setTimeout(10_000).click()
  await become(page, 'tbody a', ['planner'])
  await page.locator('tbody a').setTimeout(10_000).click()
  await shows(page, 'for another owner, who neither registered it nor owns the client')
  assert.deepEqual(clean(who), CLEAN)
})
