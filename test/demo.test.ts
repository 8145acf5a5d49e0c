import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const DEMO = fileURLToPath(new URL('../demo/run.ts', import.meta.url))
const BOUND = { timeout: 180_000 }

const answerSchema = z.strictObject({
  ok: z.boolean(),
  steps: z.array(z.strictObject({ name: z.string(), ok: z.boolean() })),
  refusals: z.array(z.strictObject({ name: z.string(), status: z.number(), error: z.string(), refused: z.boolean() })),
  calls: z.array(
    z.strictObject({
      agent_id: z.string(),
      step: z.string(),
      call: z.string(),
      milliseconds: z.record(z.enum(['total', 'client', 'shim', 'server', 'network', 'verifier', 'tool']), z.number()),
    }),
  ),
})

// Slow: each starts a server with a Postgres of its own.

test('the demo does every step, sees every refusal and prints one JSON object (issues 2, 4 and 5)', BOUND, async t => {
  const { cwd, tmp, demo } = await startDemo(t)

  const [code, stdout] = await Promise.all([demo.ended, demo.stdout])

  const { ok, steps, refusals, calls } = answerSchema.parse(JSON.parse(stdout))
  assert.equal(code, 0)
  assert.equal(ok, true)
  assert.deepEqual(new Set(steps.map(step => step.ok)), new Set([true]))
  assert.deepEqual(new Set(refusals.map(refusal => refusal.refused)), new Set([true]))
  const names = new Set(refusals.map(refusal => refusal.name))
  assert.ok(REQUIRED.isSubsetOf(names), `missing: ${[...REQUIRED.difference(names)]}`)
  checkTimes(calls)
  const report = await readFile(join(cwd, 'demo-report.html'), 'utf8')
  checkSecondAct(report)
  assert.match(report, /Where the time of each call went/)
  assert.doesNotMatch(report, /<script|<link|<img| src=| href=|url\(|@import/)
  assert.deepEqual(await readdir(tmp), [])
})

test('a demo that is stopped half-way leaves nothing behind (issue 2, item 13)', BOUND, async t => {
  const { tmp, demo } = await startDemo(t)
  // A demo that ends by itself before that says why with its code.
  await Promise.race([demo.says('first administrator'), demo.ended])

  demo.kill('SIGTERM')

  assert.equal(await demo.ended, 143)
  assert.deepEqual(await readdir(tmp), [])
})

/** Chain and graph are drawn, with who approved (issue 4, item 6), as the server recorded them. */
function checkSecondAct(report: string): void {
  const act = between(report, '<h2>A person, a chain and a gate</h2>', '<h2>')
  const [chain = '', waiting = '', applied = ''] = [...act.matchAll(/<svg .*?<\/svg>/gs)].map(([drawing]) => drawing)
  assert.deepEqual(
    [...chain.matchAll(/<text class="soft"[^>]*>([^<]*)/g)].map(([, line]) => line),
    [
      ...['whose intent it is', 'user:corp:alice'],
      ...['the root', 'agent:patch-app:supervisor'],
      ...['for step plan', 'agent:patch-app:planner'],
      ...['for step patch', 'agent:patch-app:patcher'],
      ...['subject token', 'signed', 'signed'],
    ],
  )
  const edges = [
    'triage before plan',
    'triage before reproduce',
    'plan before review',
    'reproduce before review',
    'review before patch',
    'patch before verify',
  ]
  assert.deepEqual(titlesOf(waiting), [
    ...edges,
    'triage, supervisor, left, 1 token',
    'plan, planner, entered, 1 token',
    'reproduce, tester, entered, 1 token',
    'review, a person decides, open',
    'patch, patcher, open, waits for an approval',
    'verify, tester, waiting',
  ])
  assert.deepEqual(titlesOf(applied), [
    ...edges,
    'triage, supervisor, left, 1 token',
    'plan, planner, left, 1 token',
    'reproduce, tester, left, 1 token',
    'review, a person decides, passed',
    'patch, patcher, entered, 1 token, ✓ approved by user:corp-operations:ben',
    'verify, tester, open',
  ])
  // Two branches stand one above the other: the drawing follows the edges, not the order of the definition.
  assert.equal(leftOf(applied, 'plan'), leftOf(applied, 'reproduce'))
  assert.ok(leftOf(applied, 'reproduce') < leftOf(applied, 'review'))
  assert.match(
    between(act, '<th>Approval</th>', '</table>'),
    /<td>patch<\/td><td>granted<\/td><td><code>user:corp-operations:ben</,
  )
}

function between(text: string, begin: string, end: string): string {
  const from = text.indexOf(begin) + begin.length
  return text.slice(from, text.indexOf(end, from))
}

/** What a drawing says in words: its edges, then its steps. */
function titlesOf(drawing: string): (string | undefined)[] {
  return [...drawing.matchAll(/<title>([^<]*)/g)].map(([, title]) => title)
}

function leftOf(drawing: string, step_id: string): number {
  return Number(new RegExp(`<title>${step_id},[^<]*</title>\\s*<rect [^>]* x="([0-9.]+)"`).exec(drawing)?.[1])
}

/**
 * Each call is measured on both ends (issue 5, item 5): together its parts are all of it, and no part of a tool call lies
 * outside the others. A client that connects also asks in the background, which ends when it likes.
 */
function checkTimes(calls: z.output<typeof answerSchema>['calls']): void {
  for (const { call, milliseconds } of calls) {
    const { total, ...parts } = milliseconds
    const sum = Object.values(parts).reduce((all, part) => all + part, 0)
    assert.ok(Math.abs(sum - total) < 0.1, call)
  }
  const tools = calls.filter(({ milliseconds }) => milliseconds.tool > 0)
  for (const { call, milliseconds } of tools) {
    assert.ok(Math.min(...Object.values(milliseconds)) > -0.1, `${call}: ${JSON.stringify(milliseconds)}`)
  }
  assert.deepEqual(
    tools.map(({ agent_id, call }) => [agent_id, call]),
    [
      ['planner', 'list_directory'],
      ['planner', 'read_text_file'],
      ['planner', 'read_text_file'],
      ['writer', 'write_file'],
      ['checker', 'read_text_file'],
    ],
  )
  assert.ok(tools.every(({ milliseconds: { shim, verifier } }) => shim > 0 && verifier > 0))
  const entered = calls.filter(({ milliseconds }) => milliseconds.server > 0)
  assert.deepEqual(
    entered.map(({ call }) => call),
    ['enters step plan', 'enters step write', 'enters step check'],
  )
}

/** What issues 2, 4 and 5 name, and what keeps the APIs honest. */
const REQUIRED = new Set([
  'changed_prompt',
  'changed_tool_description',
  'copied_checksum_other_key',
  'replayed_proof',
  'skipped_step',
  'widened_scope',
  'wrong_audience',
  'revoked_agent',
  'token_without_proof',
  'token_with_other_key',
  'approved_by_initiator',
  'approved_something_else',
  'patch_unapproved',
  'widened_delegation',
  'claimed_steps',
  'left_step',
  'grafted_chain',
  'stolen_assertion',
  'joined_execution',
  'patch_twice',
  'changed_body',
  'revoked_execution',
  'mcp_without_token',
  'tool_without_rule',
  'tool_of_other_step',
  'swapped_arguments',
  'replayed_tool_call',
  'handoff_of_another',
  'process_as_other_agent',
  'rug_pull',
  'other_arguments_than_approved',
])

async function startDemo(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'demo-'))
  t.after(() => rm(directory, { recursive: true }))
  const [cwd, tmp] = [join(directory, 'cwd'), join(directory, 'tmp')]
  await mkdir(cwd)
  await mkdir(tmp)
  // Started by root, Postgres runs under another account, which must be able to pass.
  await chmod(directory, 0o711)
  const child = spawn(process.execPath, [DEMO, '--json'], { cwd, env: { ...process.env, TMPDIR: tmp } })
  t.after(() => child.kill('SIGTERM'))
  child.stderr.setEncoding('utf8')
  const says = (text: string) =>
    new Promise<void>(resolve => {
      let heard = ''
      child.stderr.on('data', (chunk: string) => {
        heard += chunk
        if (heard.includes(text)) resolve()
      })
    })
  const demo = {
    ended: new Promise<number | null>(resolve => child.once('close', code => resolve(code))),
    stdout: child.stdout
      .setEncoding('utf8')
      .toArray()
      .then(chunks => chunks.join('')),
    says,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
  }
  child.stderr.resume()
  return { cwd, tmp, demo }
}
