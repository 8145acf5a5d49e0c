import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { givenLink } from './given.ts'
import { launchChromium, needsChromium, watchedPage } from './support.ts'
import {
  answer,
  become,
  CLEAN,
  clean,
  confirm,
  givenWaiting,
  givenWorkflow,
  open,
  press,
  shows,
  signedIn,
  texts,
} from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const EVE = 'user:local:eve'

test('the code leaves the address at once, and the list shows first what waits', needsChromium, async () => {
  const client = await givenClient(app)
  await givenAgent(app, client, 'aardvark')
  await givenWaiting(app, client, 'zebra')
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  assert.equal(await page.evaluate('location.hash'), '#/agents')
  await shows(page, `${who.admin.client_id} for ${OTTO}`)
  assert.match((await texts(page, '.left'))[0] ?? '', /^1[45]m \d\ds left$/)
  const agents = await texts(page, 'tbody a')
  assert.ok(agents.indexOf('zebra') < agents.indexOf('aardvark'))
  assert.deepEqual(await texts(page, 'tr.waiting .count'), ['1'])
  await page.keyboard.press('/')
  await page.keyboard.type(`${client.client_id} aardvark`)
  await shows(page, '1 of ')
  assert.deepEqual(await texts(page, 'tbody a'), ['aardvark'])
  await press(page, 'Sign out')
  await shows(page, 'remit console')
  assert.deepEqual(clean(who), CLEAN)
})

test(
  'an approver sees the difference, what is hidden in it and what it proposes, and approves',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    const { second } = await givenWaiting(app, client)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/agents/${client.client_id}/planner`)
    await shows(page, 'Waits for approval')
    const chips = await texts(page, '.diff mark.chip')
    assert.deepEqual(chips, ['U+200B', 'U+202E'])
    assert.equal((await texts(page, '.warning-code')).includes('hidden-characters'), true)
    assert.deepEqual(await texts(page, '.diff del .text'), ['Never touch a release.', '"maximum": 1'].map(String))
    await shows(page, second.registration_id)
    await press(page, 'Approve')
    await shows(page, `You act as ${who.admin.client_id} for ${OTTO}.`)
    await confirm(page, 'Approve')
    await shows(page, 'Version 2 is approved and counts now.')
    assert.match(String(await page.evaluate('document.activeElement.textContent')), /is approved/)
    await become(page, '.versions .badge', ['active', 'retired'])
    await shows(page, `by ${who.admin.client_id} for ${OTTO}`)
    assert.match((await texts(page, 'dl.origin')).join(), new RegExp(`by ${who.admin.client_id} for ${OTTO}`))
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('who may not approve reads the sentence of the refusal, and rejects with a reason', needsChromium, async () => {
  const client = await givenClient(app, { owner: EVE })
  await givenWaiting(app, client)
  const who = await signedIn(app, await launchChromium(), EVE)
  const { page } = who
  await open(page, `#/agents/${client.client_id}/planner`)
  await press(page, 'Approve')
  await confirm(page, 'Approve')
  await shows(page, 'Somebody else must approve')
  await confirm(page, 'Cancel')
  await press(page, 'Reject')
  await answer(page, 'wrong branch')
  await page.keyboard.press('Enter')
  await shows(page, 'Version 2 is rejected.')
  await shows(page, 'wrong branch')
  await become(page, '.versions .badge', ['rejected', 'active'])
  assert.deepEqual(await texts(page, '.rest > .title .badge'), ['rejected'])
  // What never counted cannot come back.
  assert.deepEqual(
    (await texts(page, 'button')).filter(name => name.includes('version')),
    ['Revoke version'],
  )
  assert.deepEqual(clean(who), CLEAN)
})

test('one operator suspends, only another resumes; both are told (section 11)', needsChromium, async () => {
  const client = await givenClient(app)
  await givenAgent(app, client, 'planner')
  const browser = await launchChromium()
  const [eve, otto] = [await signedIn(app, browser, EVE), await signedIn(app, browser, OTTO)]
  const place = `#/agents/${client.client_id}/planner`
  await open(eve.page, place)
  await press(eve.page, 'Suspend')
  await shows(eve.page, "resumed by another owner than you and than the client's owner (user:local:")
  await answer(eve.page, 'wrong addressees')
  await eve.page.keyboard.press('Enter')
  await shows(eve.page, 'planner is suspended')
  await press(eve.page, 'Resume')
  await confirm(eve.page, 'Resume')
  await eve.page.waitForSelector('dialog [role=alert]')
  await open(otto.page, place)
  await shows(otto.page, 'wrong addressees')
  await press(otto.page, 'Resume')
  await confirm(otto.page, 'Resume')
  await shows(otto.page, 'planner is active again.')
  assert.deepEqual([clean(eve), clean(otto)], [CLEAN, CLEAN])
})

test(
  'an older version is rolled back to, and a version dies for good only when its id is typed',
  needsChromium,
  async () => {
    const client = await givenClient(app)
    const planner = (prompt_template: string) => ({ agent_id: 'planner', prompt_template, tools: [] })
    const { key } = await givenAgent(app, client, 'planner', { agent_components: planner('One.') })
    const again = { agent_components: planner('Two.'), public_key: key.jwk }
    const { registration_id } = await givenAgent(app, client, 'planner', again)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/agents/${client.client_id}/planner`)
    await (await page.waitForSelector('.versions li:last-child a'))?.click()
    await press(page, 'Roll back to this version')
    await shows(page, 'With 0 it ends at once: processes that still run its prompt are refused.')
    await confirm(page, 'Roll back')
    await shows(page, 'The content of version 1 counts again')
    await open(page, `#/agents/${client.client_id}/planner/${registration_id}`)
    await press(page, 'Revoke version')
    await answer(page, 'leaked')
    assert.equal(await page.evaluate("document.querySelector('dialog [type=submit]').disabled"), true)
    await page.keyboard.press('Tab')
    await page.keyboard.type(registration_id)
    await page.keyboard.press('Enter')
    await shows(page, `Revoked registration ${registration_id}`)
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('a refusal appears by itself in the live decisions, and is explained', needsChromium, async () => {
  const client = await givenClient(app)
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await open(page, `#/decisions?client_id=${client.client_id}`)
  await shows(page, 'Nothing was decided yet that matches.')
  await accessToken(app, client, { resource: app.issuer, scope: 'no-such-scope' }).catch(() => {})
  await shows(page, 'invalid_scope')
  assert.deepEqual(await texts(page, 'tr.refused .badge'), ['refused', 'refused'])
  await (await page.waitForSelector('tr.refused a'))?.click()
  await shows(page, 'To do')
  await shows(page, client.client_id)
  await page.goBack()
  await shows(page, 'Live decisions')
  await press(page, 'Pause')
  await shows(page, 'Paused.')
  assert.deepEqual(clean(who), CLEAN)
})

test('a workflow is drawn, what a waiting version changes is marked, and it is approved', needsChromium, async () => {
  const client = await givenWorkflow(app)
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await open(page, '#/workflows')
  await shows(page, 'patch')
  await open(page, `#/workflows/${client.client_id}/patch`)
  await shows(page, '2 steps differ from version 1 (active)')
  await shows(page, 'waits for an approval gate less')
  assert.deepEqual(await texts(page, 'svg .step-id'), ['scan', 'apply', 'check'])
  assert.deepEqual(await texts(page, 'svg .step.removed .step-id'), ['check'])
  assert.deepEqual(await texts(page, 'svg .step.changed .step-id'), ['apply'])
  assert.equal((await page.$$('svg .edge.dependency')).length, 1)
  assert.deepEqual(await texts(page, '.steps tbody tr .badge'), ['changed', 'removed'])
  await press(page, 'Approve')
  await confirm(page, 'Approve')
  await shows(page, 'Version 2 is approved and counts now.')
  assert.deepEqual(clean(who), CLEAN)
})

test('a rotated secret is shown once; a revoked client and token are listed', needsChromium, async () => {
  const client = await givenClient(app, { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined })
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await open(page, `#/clients/${client.client_id}`)
  await press(page, 'Rotate secret')
  await shows(page, 'With 0 they end at once: what still uses one is refused until it has the new secret.')
  await confirm(page, 'Rotate')
  await page.waitForSelector('.secret')
  const [secret = ''] = await texts(page, '.secret')
  assert.match(secret, /^[A-Za-z0-9_-]{43,}$/)
  await press(page, 'Close')
  assert.equal(String(await page.evaluate('document.documentElement.outerHTML')).includes(secret), false)
  await open(page, '#/revocations')
  await page.select('select', 'client')
  await page.locator('.grow input').fill(client.client_id)
  await press(page, 'Revoke…')
  await answer(page, 'contract ended')
  await page.keyboard.press('Tab')
  await page.keyboard.type(client.client_id)
  await page.keyboard.press('Enter')
  await shows(page, `Revoked client ${client.client_id}`)
  await page.waitForFunction(`document.querySelector('tbody').innerText.includes('${client.client_id}')`)
  assert.deepEqual(clean(who), CLEAN)
})

test('what a session has no scope for is off, and the scope is named', needsChromium, async () => {
  const client = await givenClient(app)
  await givenWaiting(app, client)
  const who = await signedIn(app, await launchChromium(), OTTO, 'approve:agents')
  const { page } = who
  await open(page, `#/agents/${client.client_id}/planner`)
  await shows(page, 'needs revoke')
  const off = await texts(page, 'button:disabled')
  assert.deepEqual([...new Set(off.map(text => text.split(' key')[0]))].sort(), [
    'Revoke',
    'Revoke agent',
    'Revoke version',
    'Suspend',
  ])
  await open(page, '#/decisions')
  await shows(page, 'does not have the scope audit:read')
  assert.deepEqual(clean(who), CLEAN)
})

test('an address that changes before the page listens to it is followed all the same', needsChromium, async () => {
  const admin = await givenAdmin(app)
  const { page } = await watchedPage(await launchChromium(), app.adminUrl)
  await page.evaluateOnNewDocument(`new MutationObserver((_, observer) => {
    if (document.querySelector('main') === null) return
    observer.disconnect()
    location.hash = '#/workflows'
  }).observe(document, { childList: true, subtree: true })`)
  await page.goto((await givenLink(app, admin)).url)
  await become(page, 'main h1', ['Workflows'])
})
