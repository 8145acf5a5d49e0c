import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'puppeteer-core'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { Caller } from '../../src/server/caller.ts'
import { transaction } from '../../src/server/context.ts'
import { registerWorkflow } from '../../src/server/registry/workflows.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { type GivenClient, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { givenLink } from './given.ts'
import { givenRun, givenRunningClient } from './given-execution.ts'
import { launchChromium, needsChromium, watchedPage } from './support.ts'

const app = await startTestApp()

/** Each would set `pwned`, speak to another host, or show something that is not ours, if it were taken for markup. */
const HOSTILE = [
  '<img src=x onerror="window.pwned=1">',
  '</script><script>window.pwned=1</script>',
  '"><svg onload=window.pwned=1>',
  "'-window.pwned=1-'",
  'javascript:window.pwned=1',
  '<a href="javascript:window.pwned=1">approve</a>',
  '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
  '<form action=https://evil.example><button>approve</button></form>',
  '<link rel=stylesheet href=https://evil.example/x.css><style>*{background:url(https://evil.example/y)}</style>',
  '{{constructor.constructor("window.pwned=1")()}}',
  '__proto__',
  '\u202eapprove\u200b',
]
const ALL = HOSTILE.join('\n')

async function givenHostileAgents(client: GivenClient): Promise<void> {
  const components = (prompt_template: string) => ({
    agent_id: 'planner',
    prompt_template,
    tools: HOSTILE.map(text => ({ name: text, description: ALL, parameters: { [text]: text } })),
    configuration: Object.fromEntries(HOSTILE.filter(text => text !== '__proto__').map(text => [text, [text]])),
  })
  await givenAgent(app, client, 'planner', { agent_components: components(ALL) })
  const later = { agent_components: components(`${ALL}\nmore`), public_key: (await generateKey()).jwk }
  await givenAgent(app, client, 'planner', later)
  const caller: Caller = {
    ...{ client_id: client.client_id, sub: client.client_id, acting_owner: 'user:local:anna', scope: [] },
    ...{ registers_for: [], request_id: 'given', address: '127.0.0.1' },
  }
  const steps = HOSTILE.map((action, at) => ({ step_id: `s${at}`, agent_id: 'planner', action }))
  const body = workflowRegistrationSchema.parse({ workflow_id: 'hostile', steps })
  await transaction(app.ctx, tx => registerWorkflow(tx, caller, body))
}

/** An execution whose approvals are asked for with hostile arguments, one of them denied with a hostile reason. */
async function givenHostileRun(): Promise<string> {
  const client = await givenRunningClient(app, '<img src=x onerror="window.pwned=1">')
  const asked = Object.fromEntries(HOSTILE.filter(text => text !== '__proto__').map(text => [text, [text, ALL]]))
  const { execution_id, approval_id } = await givenRun(app, client, asked)
  const decided = { status: 'denied', decided_at: app.ctx.now(), decided_by: 'otto', decision_reason: ALL } as const
  await app.ctx.db.updateTable('approval').set(decided).where('approval_id', '=', approval_id).execute()
  return execution_id
}

/** Lets everything that was begun come to its end: requests, then what they show. */
async function settle(page: Page): Promise<void> {
  await page.waitForNetworkIdle({ idleTime: 150, timeout: 10_000 })
  await page.waitForFunction("document.querySelector('.loading') === null", { timeout: 10_000 })
}

/** Whether anything of the hostile texts became more than text. */
const FOUND = `JSON.stringify({
  pwned: window.pwned ?? null,
  elements: [...document.querySelectorAll('main iframe, main form[action], main link, main style, main script, main img')]
    .map(element => element.outerHTML),
  links: [...document.querySelectorAll('a[href]')].map(link => link.getAttribute('href'))
    .filter(href => !href.startsWith('#/') && !href.startsWith('${app.issuer}/errors/')),
  handlers: [...document.querySelectorAll('main *')].flatMap(element => [...element.attributes])
    .filter(({ name }) => name.startsWith('on') || name === 'srcdoc').map(({ name, value }) => name + '=' + value),
})`
const NOTHING = { pwned: null, elements: [], links: [], handlers: [] }
const PAGES_MAX = 40

test(
  '[attack 113] hostile names, prompts, tools and workflows are text in every room of the console (XSS)',
  needsChromium,
  async () => {
    const client = await givenClient(app, { client_name: ALL.slice(0, 200) })
    await givenHostileAgents(client)
    const browser = await launchChromium()
    const { page, foreign, wrong } = await watchedPage(browser, app.adminUrl)
    await page.goto((await givenLink(app, await givenAdmin(app))).url)
    await settle(page)
    const seen = new Set<string>()
    const open = ['#/agents', `#/agents/${client.client_id}/planner`, `#/workflows/${client.client_id}/hostile`]
    open.push(`#/executions/${await givenHostileRun()}`)
    let shown = ''
    for (let place = open.shift(); place !== undefined && seen.size < PAGES_MAX; place = open.shift()) {
      if (seen.has(place)) continue
      seen.add(place)
      await page.evaluate(`location.hash = ${JSON.stringify(place)}`)
      await settle(page)
      await page.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")
      await settle(page)
      assert.deepEqual(JSON.parse(String(await page.evaluate(FOUND))), NOTHING, place)
      shown += String(await page.evaluate('document.body.innerText'))
      const links = JSON.parse(
        String(await page.evaluate(`JSON.stringify([...document.querySelectorAll('a[href^="#/"]')].map(a => a.hash))`)),
      )
      open.push(...links.map(String))
    }
    assert.ok(seen.size >= 8, `${[...seen]}`)
    assert.ok([...seen].some(place => place.startsWith('#/approvals/apr_')))
    for (const text of HOSTILE.slice(0, -1)) assert.ok(shown.includes(text), `${text} was shown`)
    assert.ok(shown.includes('U+202E') && shown.includes('U+200B'), 'what is hidden was made visible')
    assert.deepEqual({ foreign, wrong }, { foreign: [], wrong: [] })
  },
)
