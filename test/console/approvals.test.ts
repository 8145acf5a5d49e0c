import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readableJcs, stringsOf } from '../../src/console/readable-jcs.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { elapsed } from '../protocol/forge.ts'
import { startTestApp } from '../support/app.ts'
import { givenResource } from '../support/given.ts'
import { givenRun, givenRunningClient } from './given-execution.ts'
import { launchChromium, needsChromium } from './support.ts'
import {
  answer,
  become,
  CLEAN,
  clean,
  confirm,
  faster,
  letLook,
  open,
  press,
  settled,
  shows,
  signedIn,
  texts,
} from './walk.ts'

const app = await startTestApp()
const OTTO = 'user:local:otto'
const MAIL = 'https://mail.example/api'
const ACCESS = [{ resource: MAIL, scope: 'read send' }]
await givenResource(app, { resource: MAIL, scopes: [{ name: 'read' }, { name: 'send' }] })
const EVE = 'user:local:eve'
/** The owner of the client. */
const ANNA = 'user:local:anna'

function reads(approval_id: string) {
  return app.ctx.db
    .selectFrom('audit_event')
    .select(['actor', 'details'])
    .where('action', '=', 'read')
    .where('outcome', '=', 'success')
    .execute()
    .then(rows => rows.filter(row => row.details.approval_id === approval_id))
}

test('JCS text is made readable without being parsed: taken away, what was added leaves the text', () => {
  const value = {
    ...{ '10': 1, '9': [], a: {}, b: [1, { c: null }, 'x, y: {"z"}'], '\u2028': '\\"\n', __proto__: null },
    ...{ big: 1e21, small: 1e-7, deep: [[[['"']]]] },
  }
  const text = canonicalJson(value)
  const shown = readableJcs(text)
  const bare = shown
    .split('\n')
    .flatMap(line => stringsOf(line).map((part, at) => (at % 2 === 1 ? part : part.replaceAll(' ', ''))))
  assert.equal(bare.join(''), text)
  assert.equal(
    readableJcs('{"a":[1,{"b":"c:d,e"}],"f":{}}'),
    ['{', '  "a": [', '    1,', '    {', '      "b": "c:d,e"', '    }', '  ],', '  "f": {}', '}'].join('\n'),
  )
})

test('[attack 112] a line that was cut is split in linear time, its last string to the end', () => {
  const line = `"a": "${'\\"'.repeat(20_000)}⟦U+200B⟧⟦… 12 more characters⟧`
  assert.deepEqual(stringsOf(line), ['', '"a"', ': ', line.slice(5), ''])
  assert.ok(elapsed(() => stringsOf(line)) < 200)
})

test(
  'who looks sees how many wait; the exact arguments are read once, and granted by their digest',
  needsChromium,
  async () => {
    const client = await givenRunningClient(app, 'applies the patch', ACCESS)
    const run = await givenRun(app, client)
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await become(page, 'nav .count', ['1 waiting'])
    await open(page, '#/approvals')
    await become(page, 'tbody a', [run.approval_id])
    await faster(page)
    await open(page, `#/approvals/${run.approval_id}`)
    await shows(page, 'patcher asks for apply')
    assert.deepEqual(await texts(page, '.numbered .text'), [
      ...['{', '"branch": "main",', '"files": [', '"src/pay.ts"', '],', '"force": false', '}'],
    ])
    await shows(page, String(run.arguments_digest))
    await shows(page, 'This page computed the same')
    for (const owner of ['user:corp:42', ANNA]) await shows(page, owner)
    await shows(page, 'First asked for')
    assert.deepEqual(await texts(page, 'dl .access li'), [`${MAIL}readsend`])
    await letLook(page, 3)
    assert.deepEqual((await reads(run.approval_id)).length, 1, 'each read of arguments is audited, so there is one')
    await press(page, 'Grant…')
    await shows(page, `Digest: ${run.arguments_digest}`)
    await answer(page, 'read it')
    await page.keyboard.press('Enter')
    await shows(page, 'apply is granted')
    await become(page, 'main > .title .badge', ['granted'])
    await shows(page, 'The step was not entered with it yet.')
    const row = await app.ctx.db
      .selectFrom('approval')
      .select(['status', 'decided_owner', 'decision_reason'])
      .where('approval_id', '=', run.approval_id)
      .executeTakeFirst()
    assert.deepEqual(row, { status: 'granted', decided_owner: OTTO, decision_reason: 'read it' })
    await page.waitForFunction("document.querySelector('nav .count') === null", { timeout: 10_000 })
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('an approval is denied with a reason, and another who reads it sees that by itself', needsChromium, async () => {
  const run = await givenRun(app, await givenRunningClient(app))
  const browser = await launchChromium()
  const [otto, eve] = [await signedIn(app, browser, OTTO), await signedIn(app, browser, EVE)]
  const place = `#/approvals/${run.approval_id}`
  await open(otto.page, place)
  await open(eve.page, place)
  await press(otto.page, 'Deny…')
  await answer(otto.page, 'wrong branch')
  await confirm(otto.page, 'Deny')
  await shows(otto.page, 'apply is denied.')
  await become(eve.page, 'main > .title .badge', ['denied'])
  await shows(eve.page, 'wrong branch')
  assert.deepEqual(await texts(eve.page, '.acts button'), [])
  await open(eve.page, '#/approvals?status=denied')
  await become(eve.page, 'tbody a', [run.approval_id])
  assert.deepEqual([clean(otto), clean(eve)], [CLEAN, CLEAN])
})

test('who has a part in it reads why somebody else decides, and cannot', needsChromium, async () => {
  const run = await givenRun(app, await givenRunningClient(app))
  const who = await signedIn(app, await launchChromium(), ANNA)
  const { page } = who
  await open(page, `#/approvals/${run.approval_id}`)
  await shows(page, 'all that the agent may have: the step has no limit of its own')
  await shows(page, 'You act for user:local:anna, who has a part in what is asked: somebody else decides.')
  assert.deepEqual(await texts(page, 'button:disabled'), ['Grant…', 'Deny…'])
  const out = await signedIn(app, await launchChromium(), OTTO, 'audit:read')
  let asked = 0
  out.page.on('request', request => {
    if (request.url().includes('/admin/v1/approvals')) asked += 1
  })
  await open(out.page, '#/approvals')
  await shows(out.page, 'does not have the scope approve:steps')
  assert.deepEqual(await texts(out.page, 'nav .count'), [], 'nor is anything counted')
  await out.page.reload()
  await settled(out.page)
  assert.equal(asked, 0, 'a refusal would leave a row in the trail')
  assert.deepEqual([clean(who), clean(out)], [CLEAN, CLEAN])
})

test(
  '[attack 85] hidden, bidirectional and mixed text in arguments is marked; what cannot all be shown is not granted',
  needsChromium,
  async () => {
    const client = await givenRunningClient(app)
    const hidden = await givenRun(app, client, {
      to: 'p\u0430ypal',
      note: 'pay \u202e001\u200b',
      'k\u00adey': '⟦U+200B⟧',
    })
    const flood = await givenRun(app, client, { note: '\u200b'.repeat(2_100) })
    const who = await signedIn(app, await launchChromium(), OTTO)
    const { page } = who
    await open(page, `#/approvals/${hidden.approval_id}`)
    await shows(page, 'hidden-characters')
    const chips = ['U+00AD', 'U+27E6', 'U+27E7', 'U+202E', 'U+200B', 'U+0430']
    assert.deepEqual(await texts(page, '.numbered mark.chip'), chips)
    await shows(page, 'This page computed the same')
    await open(page, `#/approvals/${flood.approval_id}`)
    await shows(page, 'not all of it can be shown')
    assert.deepEqual(await texts(page, 'button:disabled'), ['Grant…'])
    assert.deepEqual(clean(who), CLEAN)
  },
)

test('what the page shows and what the digest names differ: it is said, and not granted', needsChromium, async () => {
  const run = await givenRun(app, await givenRunningClient(app))
  const arguments_digest = 'A'.repeat(43)
  await app.ctx.db
    .updateTable('approval')
    .set({ arguments_digest })
    .where('approval_id', '=', run.approval_id)
    .execute()
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  await open(page, `#/approvals/${run.approval_id}`)
  await shows(page, 'The digest is not that of what is shown here.')
  assert.deepEqual(await texts(page, 'button:disabled'), ['Grant…'])
  assert.deepEqual(clean(who), CLEAN)
})

test('very long arguments scroll in a box of their own and widen nothing', needsChromium, async () => {
  const long = { line: 'x'.repeat(20_000), many: Array.from({ length: 800 }, (_, at) => at) }
  const run = await givenRun(app, await givenRunningClient(app), long)
  const who = await signedIn(app, await launchChromium(), OTTO)
  const { page } = who
  for (const width of [1280, 360]) {
    await page.setViewport({ width, height: 800 })
    await open(page, `#/approvals/${run.approval_id}`)
    await shows(page, 'asks for')
    assert.equal(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
    assert.equal(await page.evaluate("document.querySelector('.numbered').clientHeight < 500"), true)
    assert.equal((await texts(page, '.numbered .line')).length, 805)
  }
  assert.deepEqual(clean(who), CLEAN)
})
