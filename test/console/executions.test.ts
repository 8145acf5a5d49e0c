import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenEntry, givenGate } from '../registry/given-execution.ts'
import { startTestApp } from '../support/app.ts'
import { givenRun, givenRunningClient } from './given-execution.ts'
import { launchChromium, needsChromium } from './support.ts'
import { answer, become, CLEAN, clean, faster, letLook, open, press, shows, signedIn, texts } from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const MARKS = 'svg .step-marks'

/** The names of boxes drawn in this way. */
function drawn(look: string): string {
  return `svg .step.${look} .step-id`
}

test(
  'executions are found by client, workflow, initiator and status, and appear by themselves',
  needsChromium,
  async () => {
    const client = await givenRunningClient(app)
    const other = await givenRun(app, await givenRunningClient(app))
    const first = await givenRun(app, client)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, '#/executions')
    await shows(page, other.execution_id)
    await page.locator('.filter input').fill(client.client_id)
    await become(page, 'tbody a', [first.execution_id])
    assert.equal(await page.evaluate('location.hash'), `#/executions?client_id=${client.client_id}`)
    app.clock.advance(1)
    const second = await givenRun(app, client)
    await become(page, 'tbody a', [second.execution_id, first.execution_id])
    await page.select('select', 'closed')
    await shows(page, 'No execution matches.')
    await open(page, `#/executions?client_id=${client.client_id}&initiated_by=user:corp:42&workflow_id=auto-patch`)
    await become(page, 'tbody a', [second.execution_id, first.execution_id])
    await open(page, '#/executions')
    await shows(page, other.execution_id)
    const fields = await page.$$eval('.filter input', inputs =>
      inputs.map(input => [input.disabled, input.getAttribute('placeholder')]),
    )
    assert.deepEqual(fields[1], [true, 'needs a client'], 'a workflow has its name within a client')
    assert.deepEqual(clean(who), CLEAN)
  },
)

test(
  'an execution is drawn as it runs: waiting, open, entered, left, granted and protected steps',
  needsChromium,
  async () => {
    const run = await givenRun(app, await givenRunningClient(app))
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/executions/${run.execution_id}`)
    await become(page, drawn('at-entered'), ['scan'])
    assert.deepEqual(await texts(page, drawn('at-open')), ['check', 'apply', 'scanner'])
    assert.deepEqual(await texts(page, drawn('at-open.protected')), ['apply'])
    assert.deepEqual(await texts(page, drawn('at-waiting')), ['tell'])
    assert.deepEqual((await texts(page, MARKS)).slice(0, 4), [
      'entered · 1 token',
      'open',
      'open · needs approval',
      'waiting · needs approval',
    ])
    assert.equal((await page.$$('svg .edge.dependency')).length, 3 + 2)
    await givenGate(app.ctx, run.execution_id, 'check')
    await become(page, drawn('at-granted'), ['check'])
    await givenEntry(app.ctx, run, { step_id: 'apply', agent_id: 'patcher', leaves: ['scan'] })
    await become(page, drawn('at-left'), ['scan'])
    await become(page, drawn('at-entered'), ['apply'])
    assert.deepEqual(clean(who), CLEAN)
  },
)

test(
  'the chain of delegations is drawn with its tokens and fates, and stands in the table',
  needsChromium,
  async () => {
    const client = await givenRunningClient(app)
    const run = await givenRun(app, client)
    const { delegation_id, jti: parent_jti } = run
    const step = { step_id: 'scan', agent_id: 'planner' }
    await givenEntry(app.ctx, run, step, { delegation_id, parent_jti })
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/executions/${run.execution_id}`)
    assert.deepEqual((await texts(page, MARKS)).slice(4), [
      ...['begins the chain', 'live · 1 of 1 tokens live', 'revoked · no token yet'],
    ])
    const rows = await texts(page, 'section[aria-label=Delegations] tbody tr td:nth-child(2)')
    assert.deepEqual([...rows].sort(), ['scanner', 'scanner → planner'])
    const tokens = await texts(page, 'section[aria-label=Tokens] tbody tr td:nth-child(3)')
    assert.deepEqual([...tokens].sort(), ['planner / scan', 'scanner / scan'])
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('nothing is asked while nobody looks, and at once when somebody looks again', needsChromium, async () => {
  const run = await givenRun(app, await givenRunningClient(app))
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  let asked = 0
  page.on('request', request => {
    if (request.url().includes(run.execution_id)) asked += 1
  })
  await faster(page)
  await open(page, `#/executions/${run.execution_id}`)
  const look = (hidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
  await look(true)
  const before = asked
  await letLook(page, 3)
  assert.equal(asked, before)
  await givenGate(app.ctx, run.execution_id, 'check')
  await look(false)
  await become(page, drawn('at-granted'), ['check'])
  assert.deepEqual(clean(who), CLEAN)
})

test('an execution that is not there is said once, and not asked for again and again', needsChromium, async () => {
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  let asked = 0
  page.on('request', request => {
    if (request.url().includes('/executions/exe_')) asked += 1
  })
  await faster(page)
  await open(page, `#/executions/exe_${'A'.repeat(22)}`)
  await shows(page, 'There is no such execution.')
  await letLook(page, 3)
  assert.equal(asked, 1)
  assert.deepEqual(clean(who), CLEAN)
})

test(
  'an execution is revoked only when its id is typed; then nothing can be done to it any more',
  needsChromium,
  async () => {
    const run = await givenRun(app, await givenRunningClient(app))
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/executions/${run.execution_id}`)
    await press(page, 'Revoke execution')
    await answer(page, 'wrong repository')
    assert.equal(await page.evaluate("document.querySelector('dialog [type=submit]').disabled"), true)
    await page.keyboard.press('Tab')
    await page.keyboard.type(run.execution_id)
    await page.keyboard.press('Enter')
    await shows(page, `Revoked execution ${run.execution_id}`)
    await become(page, 'main > .title .badge', ['revoked'])
    await shows(page, 'nothing more is entered or granted in it')
    assert.deepEqual(await texts(page, '.acts button'), [])
    await become(page, 'section[aria-label=Tokens] .badge', ['revoked'])
    assert.deepEqual(clean(who), CLEAN)
  },
)
