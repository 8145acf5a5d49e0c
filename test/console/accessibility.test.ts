import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenClient } from '../support/given.ts'
import { givenRun, givenRunningClient } from './given-execution.ts'
import { launchChromium, needsChromium } from './support.ts'
import { CLEAN, clean, givenWaiting, givenWorkflow, open, press, shows, signedIn } from './walk.ts'

const app = await startTestApp()
const AXE = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
const OTTO = 'user:local:otto'

async function givenEverything() {
  const client = await givenClient(app)
  await givenWaiting(app, client)
  await accessToken(app, client, { resource: app.issuer, scope: 'no-such-scope' }).catch(() => {})
  const flows = await givenWorkflow(app)
  const run = await givenRun(app, await givenRunningClient(app))
  const { id } = await app.ctx.db
    .selectFrom('audit_event')
    .select('id')
    .where('reason', '=', 'invalid_scope')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow()
  return [
    '#/agents',
    `#/agents/${client.client_id}/planner`,
    '#/decisions',
    `#/explain/${id}`,
    '#/workflows',
    `#/workflows/${flows.client_id}/patch`,
    '#/clients',
    `#/clients/${client.client_id}`,
    '#/revocations',
    '#/executions',
    `#/executions/${run.execution_id}`,
    '#/approvals',
    `#/approvals/${run.approval_id}`,
    '#/nowhere',
  ]
}

/** What axe-core finds wrong, in its words: the rule and the element. */
async function faults(page: Page): Promise<unknown> {
  const found = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => JSON.stringify(
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(node => node.target + ' ' + node.failureSummary).join(' | '))))`
  return JSON.parse(String(await page.evaluate(found)))
}

for (const [scheme, width] of [
  ['light', 1280],
  ['dark', 1280],
  ['light', 360],
  ['dark', 360],
] as const) {
  test(
    `axe finds nothing in any view, and nothing is wider than the window: ${scheme}, ${width} px`,
    needsChromium,
    async () => {
      const places = await givenEverything()
      const browser = await launchChromium()
      const who = await signedIn(app, browser, OTTO)
      const { page } = who
      await page.setViewport({ width, height: 800 })
      await page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ])
      await page.evaluate(AXE)
      const wrong: unknown[] = []
      for (const place of places) {
        await open(page, place)
        const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        wrong.push([place, await faults(page), wider])
      }
      await open(page, places[1] ?? '')
      await press(page, 'Revoke agent')
      await page.waitForSelector('dialog[open] input')
      wrong.push(['dialog', await faults(page), 0])
      await page.keyboard.press('Escape')
      await press(page, 'Sign out')
      await shows(page, 'and open the link')
      wrong.push(['sign in', await faults(page), 0])
      assert.deepEqual(
        wrong,
        [...places, 'dialog', 'sign in'].map(place => [place, [], 0]),
      )
      assert.deepEqual(clean(who), CLEAN)
    },
  )
}

/** Tab by Tab to the element whose text or name begins so. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press('Tab')
    const focused = String(await page.evaluate("document.activeElement.innerText ?? ''"))
    if (focused.startsWith(name)) return
  }
  throw new Error(`Tab does not reach ${name}.`)
}

/** Whether the element that has the focus shows it. */
const SHOWS_FOCUS = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"

test('a version is found, read and approved by keyboard alone, the focus always seen', needsChromium, async () => {
  const client = await givenClient(app)
  await givenWaiting(app, client, 'by-keyboard')
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await page.keyboard.press('Tab')
  assert.match(String(await page.evaluate('document.activeElement.innerText')), /^Skip to the content/)
  await page.keyboard.press('/')
  await page.keyboard.type('by-keyboard')
  await tabTo(page, 'by-keyboard')
  assert.equal(await page.evaluate(SHOWS_FOCUS), true)
  await page.keyboard.press('Enter')
  await shows(page, 'Waits for approval')
  await tabTo(page, 'Approve')
  assert.equal(await page.evaluate(SHOWS_FOCUS), true)
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open]')
  await page.keyboard.press('Escape')
  await page.waitForFunction("document.querySelector('dialog') === null")
  assert.match(String(await page.evaluate('document.activeElement.innerText')), /^Approve/, 'the focus comes back')
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open]')
  await tabTo(page, 'Approve')
  await page.keyboard.press('Enter')
  await shows(page, 'Version 2 is approved and counts now.')
  assert.deepEqual(clean(who), CLEAN)
})

test('an approval is found, read and granted by keyboard alone, the focus always seen', needsChromium, async () => {
  const run = await givenRun(app, await givenRunningClient(app))
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await tabTo(page, 'Approvals')
  await page.keyboard.press('Enter')
  await shows(page, run.approval_id)
  await tabTo(page, run.approval_id)
  assert.equal(await page.evaluate(SHOWS_FOCUS), true)
  await page.keyboard.press('Enter')
  await shows(page, 'patcher asks for apply')
  // What scrolls is reached too.
  await tabTo(page, '1\n{')
  await tabTo(page, 'Grant')
  assert.equal(await page.evaluate(SHOWS_FOCUS), true)
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open]')
  await page.keyboard.type('read it')
  await page.keyboard.press('Enter')
  await shows(page, 'apply is granted')
  assert.deepEqual(clean(who), CLEAN)
})

test('the colours chosen last in this browser, whatever the system prefers', needsChromium, async () => {
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }])
  const paper = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  const light = await paper()
  await press(page, 'Theme: auto')
  await press(page, 'Theme: light')
  await shows(page, 'Theme: dark')
  const dark = await paper()
  assert.notEqual(dark, light)
  await page.reload()
  await shows(page, 'Theme: dark')
  assert.equal(await paper(), dark)
  assert.deepEqual(clean(who), CLEAN)
})
