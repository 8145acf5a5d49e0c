import assert from 'node:assert/strict'
import type { Browser, Page } from 'puppeteer-core'
import { registerFlow } from '../registry/given.ts'
import type { TestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { type GivenClient, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { givenLink } from './given.ts'
import { type Watched, watchedPage } from './support.ts'

/* What the walks through the console share: things to look at, and hands and eyes. Code for the page is text here. */

/** A new browser of its own where a new operator of this owner is signed in. */
export async function signedIn(app: TestApp, browser: Browser, owner: string, scope?: string) {
  const admin = await givenAdmin(app, { owner })
  const watched = await watchedPage(await browser.createBrowserContext(), app.adminUrl)
  await watched.page.goto((await givenLink(app, admin, scope)).url)
  await settled(watched.page)
  return { ...watched, admin }
}

/** An agent with an active version, and a later one that waits: changed, with characters that are not seen, and a key. */
export async function givenWaiting(app: TestApp, client: GivenClient, agent_id = 'planner') {
  const components = (prompt_template: string, most: number) => ({
    agent_id,
    prompt_template,
    tools: [{ name: 'open_request', description: 'Opens one.', parameters: { maximum: most } }],
  })
  const first = await givenAgent(app, client, agent_id, {
    agent_components: components('Plan patches.\nNever touch a release.', 1),
  })
  const { jwk } = await generateKey()
  const second = await givenAgent(app, client, agent_id, {
    agent_components: components('Plan patches.\nTouch releases.\u200b\u202e', 20),
    public_key: jwk,
  })
  return { first, second }
}

/** A workflow whose second version, without the gate, waits. */
export async function givenWorkflow(app: TestApp) {
  const client = await givenClient(app, { policies: { require_approval: true } })
  await givenAgent(app, client, 'scanner')
  const by = { ...CALLER, client_id: client.client_id, sub: client.client_id }
  const [scan, gate, apply] = [
    { step_id: 'scan', agent_id: 'scanner', required: true },
    { step_id: 'check', approval_gate: true, required: true, dependencies: ['scan'] },
    { step_id: 'apply', agent_id: 'scanner', requires_approval: true, dependencies: ['check'] },
  ]
  await registerFlow(app.ctx, by, [scan, gate, apply], 'patch')
  await registerFlow(app.ctx, by, [scan, { step_id: 'apply', agent_id: 'scanner', dependencies: ['scan'] }], 'patch')
  return client
}

const CALLER = {
  ...{ client_id: '', sub: '', acting_owner: 'user:local:anna', scope: [] },
  ...{ registers_for: [], request_id: 'given', address: '127.0.0.1' },
}

/** Opens a place of the console and waits until it is all there. */
export async function open(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await settled(page)
}

export async function settled(page: Page): Promise<void> {
  await page.waitForFunction("document.querySelector('main') !== null && document.querySelector('.loading') === null", {
    timeout: 10_000,
  })
}

/** From now on the timers of the page run ten times as fast: what it asks by itself it asks so much more often. */
export async function faster(page: Page): Promise<void> {
  await page.evaluate(`{
    const real = setTimeout
    window.setTimeout = (callback, milliseconds) => real(callback, milliseconds / 10)
  }`)
}

/** Waits as long as so many looks of the page would take, two of its seconds each. */
export async function letLook(page: Page, times: number): Promise<void> {
  await page.evaluate(`new Promise(resolve => setTimeout(resolve, ${times * 2_000}))`)
}

/** Presses the button of this name. */
export async function press(page: Page, name: string): Promise<void> {
  await page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(10_000).click()
}

/** Presses the button of this name in the dialog that is about to open. */
export async function confirm(page: Page, name: string): Promise<void> {
  await page.locator(`dialog[open] ::-p-aria([name="${name}"][role="button"])`).setTimeout(10_000).click()
}

/** Waits until the page shows this text. */
export async function shows(page: Page, text: string): Promise<void> {
  const seen = `document.body.innerText.includes(${JSON.stringify(text)})`
  await page.waitForFunction(seen, { timeout: 10_000 }).catch(async () => {
    throw new Error(`${JSON.stringify(text)} is not shown, but: ${await page.evaluate('document.body.innerText')}`)
  })
}

/** Types into the first field of the dialog that is about to open. */
export async function answer(page: Page, text: string): Promise<void> {
  await page.waitForSelector('dialog[open] input')
  await page.keyboard.type(text)
}

/** Waits until the elements of a selector have these texts. */
export async function become(page: Page, selector: string, expected: readonly string[]): Promise<void> {
  for (let turn = 0; turn < 50 && (await texts(page, selector)).join() !== expected.join(); turn += 1) {
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  assert.deepEqual(await texts(page, selector), expected)
}

/** The texts of all elements of a selector. */
export async function texts(page: Page, selector: string): Promise<readonly string[]> {
  const found: unknown = JSON.parse(
    String(
      await page.evaluate(
        `JSON.stringify([...document.querySelectorAll(${JSON.stringify(selector)})].map(one => one.textContent.trim()))`,
      ),
    ),
  )
  return Array.isArray(found) ? found.map(String) : []
}

/** Nothing left this origin, nothing failed in the page. */
export function clean({ foreign, wrong }: Watched): { foreign: string[]; wrong: string[] } {
  return { foreign, wrong }
}
export const CLEAN = { foreign: [], wrong: [] }
