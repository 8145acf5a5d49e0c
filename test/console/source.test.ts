import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readRoute } from '../../src/console/route.ts'
import { compareSteps, edgesOf } from '../../src/console/workflow-graph.ts'
import { pathThrough } from '../../src/console/workflow-layout.ts'
import { zoneName } from '../../src/console/zone.ts'
import { cameBack, versionState } from '../../src/protocol/version-state.ts'

const FOLDER = fileURLToPath(new URL('../../src/console/', import.meta.url))
const sources = readdirSync(FOLDER).map(name => ({ name, text: readFileSync(join(FOLDER, name), 'utf8') }))

/** What turns text into markup or code, or what the page's policy would block. */
const FORBIDDEN = [
  /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|srcdoc|document\.write|DOMParser/,
  /\beval\(|new Function|import\(\s*[^'\s]|setAttribute\(\s*'on/,
  /\bstyle=|<style|\bon[a-z]+="/,
  /sessionStorage|document\.cookie|indexedDB/,
]

test('no source of the console turns text into markup, code or inline style', () => {
  const wrong = sources.flatMap(({ name, text }) =>
    FORBIDDEN.filter(what => what.test(text)).map(what => `${name}: ${what.source}`),
  )
  assert.deepEqual(wrong, [])
})

test('the page names no other origin', () => {
  const named = sources.flatMap(({ name, text }) =>
    [...text.matchAll(/https?:\/\/[a-z][^\s'"`)]*/g)].map(match => `${name}: ${match[0]}`),
  )
  assert.deepEqual(named, ['index.html: http://www.w3.org/2000/svg'], 'a namespace is no address')
})

test('only the theme and the marker of a session are kept in the browser', () => {
  const kept = sources.filter(({ text }) => text.includes('localStorage')).map(({ name }) => name)
  assert.deepEqual(kept.sort(), ['marker.ts', 'theme.ts'])
})

test('a route is a path of decoded names and a query; what cannot be decoded stays as it is', () => {
  const { path, search } = readRoute('#/agents/a%2Fb/%zz?against=reg_1')
  assert.deepEqual([path, [...search]], [['agents', 'a/b', '%zz'], [['against', 'reg_1']]])
  assert.deepEqual(readRoute('').path, [])
})

test('a time says its zone', () => {
  const zones = [0, 60, -210, 345, -480].map(zoneName)
  assert.deepEqual(zones, ['UTC', 'UTC+1', 'UTC-3:30', 'UTC+5:45', 'UTC-8'])
})

test('a version that ended is called by how: rejected, replaced before it counted, or retired', () => {
  const at = '2026-03-01T00:00:00.000Z'
  const retired = { status: 'retired', pending_for: [], approved_at: null, rejected_at: null } as const
  const waited = { ...retired, pending_for: ['keys' as const] }
  assert.equal(versionState({ ...waited, rejected_at: at }), 'rejected')
  assert.equal(versionState(waited), 'replaced')
  assert.deepEqual([retired, { ...waited, approved_at: at }].map(versionState), ['retired', 'retired'])
  assert.equal(versionState({ ...waited, status: 'revoked', rejected_at: at }), 'revoked')
  assert.equal(versionState({ ...waited, status: 'pending' }), 'pending')
})

test('a version that a rollback made is known by an approval that nothing waited for', () => {
  const at = '2026-03-01T00:00:00.000Z'
  assert.equal(cameBack({ pending_for: [], approved_at: at }), true)
  assert.equal(cameBack({ pending_for: ['keys'], approved_at: at }), false)
  assert.equal(cameBack({ pending_for: [], approved_at: null }), false)
})

const STEP = {
  ...{ step_id: 'a', agent_id: 'planner', action: null, access: null, dependencies: [] },
  ...{ required: false, approval_gate: false, requires_approval: false },
}

test('steps are marked added, changed and removed against the version before', () => {
  const before = [STEP, { ...STEP, step_id: 'gone' }]
  const compared = compareSteps(
    [
      { ...STEP, required: true },
      { ...STEP, step_id: 'new' },
    ],
    before,
  )
  assert.deepEqual(
    compared.map(({ step, change, changes }) => [step.step_id, change, changes]),
    [
      ['a', 'changed', ['required: no to yes']],
      ['new', 'added', []],
      ['gone', 'removed', []],
    ],
  )
  const [alone] = compareSteps([STEP], undefined)
  assert.equal(alone?.change, 'same')
})

test('edges are the dependencies, and the order of the definition where a step has none', () => {
  const steps = [STEP, { ...STEP, step_id: 'b', dependencies: ['a'] }, { ...STEP, step_id: 'c' }]
  assert.deepEqual(edgesOf(steps), [
    { from: 'a', to: 'b', kind: 'dependency' },
    { from: 'b', to: 'c', kind: 'order' },
  ])
})

test('a line is drawn through its points, a straight one as a straight one', () => {
  const [a, b, c] = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 10 },
  ]
  assert.equal(pathThrough([a, b]), 'M0 0L10 0')
  assert.equal(pathThrough([a, b, c]), 'M0 0Q10 0 10 10')
  assert.equal(pathThrough([a]), '')
})
