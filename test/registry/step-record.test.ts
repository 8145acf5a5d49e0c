import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stepGraph } from '../../src/server/registry/step-record.ts'
import { stepsOf } from './asked-step.ts'

const GATE = { approval_gate: true }

function leftBy(rules: Record<string, object>, later: string): readonly string[] {
  return Object.keys(rules).filter(earlier => stepGraph(stepsOf(rules)).leaves(later, earlier))
}

test('[attack 71] prerequisites are the required steps before a step and its dependencies (protocol.md section 6)', () => {
  const graph = stepGraph(
    stepsOf({ a: { required: true }, b: {}, c: { dependencies: ['e', 'b'] }, d: { required: true }, e: {} }),
  )
  assert.deepEqual(graph.prerequisites('a'), new Set())
  assert.deepEqual(graph.prerequisites('b'), new Set(['a']))
  assert.deepEqual(graph.prerequisites('c'), new Set(['a', 'e', 'b']))
  assert.deepEqual(graph.prerequisites('nowhere'), new Set())
})

test('[attack 71] gates of a step are required ones before it and those it depends on (protocol.md section 6)', () => {
  const graph = stepGraph(
    stepsOf({
      pay: { dependencies: ['later'] },
      required: { ...GATE, required: true },
      optional: GATE,
      tell: {},
      both: { dependencies: ['optional'] },
      later: GATE,
    }),
  )
  // `later` stands behind `required`, so that it has a gate of its own: in the order of the definition.
  assert.deepEqual(graph.gates('pay'), ['required', 'later'])
  assert.deepEqual(graph.gates('tell'), ['required'])
  assert.deepEqual(graph.gates('both'), ['required', 'optional'])
  assert.deepEqual(graph.gates('nowhere'), [])
})

test('gates of its gates are gates of a step, at any depth (ADR 17)', () => {
  const graph = stepGraph(
    stepsOf({
      first: GATE,
      second: { ...GATE, dependencies: ['first'] },
      third: { ...GATE, dependencies: ['second'] },
      pay: { dependencies: ['third'] },
    }),
  )
  assert.deepEqual(graph.gates('pay'), ['first', 'second', 'third'])
})

test('a step that requires approval and has no gate of its own takes the nearest before it (ADR 17)', () => {
  const graph = stepGraph(
    stepsOf({
      far: GATE,
      near: GATE,
      pay: { requires_approval: true },
      free: {},
      both: { requires_approval: true, dependencies: ['far'] },
      after: { ...GATE, required: true },
    }),
  )
  assert.deepEqual(graph.gates('pay'), ['near'])
  assert.deepEqual(graph.gates('free'), [])
  assert.deepEqual(graph.gates('both'), ['far'])
  const guarded = stepsOf({ far: { ...GATE, required: true }, near: GATE, pay: { requires_approval: true } })
  assert.deepEqual(stepGraph(guarded).gates('pay'), ['far'])
})

test('without dependencies a step leaves all that stand before it, and none behind it (ADR 17)', () => {
  const rules = { a: { required: true }, b: {}, c: {}, d: {} }
  assert.deepEqual(leftBy(rules, 'c'), ['a', 'b'])
  assert.deepEqual(leftBy(rules, 'a'), [])
})

test('in a graph a step leaves what it is built upon, through gates too, and no other branch (ADR 17)', () => {
  const rules = {
    start: { required: true },
    one: { dependencies: ['start'] },
    two: { dependencies: ['start'] },
    gate: { ...GATE, dependencies: ['two'] },
    join: { dependencies: ['gate'] },
  }
  assert.deepEqual(leftBy(rules, 'one'), ['start'])
  assert.deepEqual(leftBy(rules, 'join'), ['start', 'two', 'gate'])
  assert.deepEqual(leftBy({ ...rules, end: {} }, 'end'), ['start'])
})

test('a fallback gate is no prerequisite: what it waits for is not left by the step (ADR 17)', () => {
  const rules = { a: {}, gate: { ...GATE, dependencies: ['a'] }, pay: { requires_approval: true } }
  assert.deepEqual(leftBy(rules, 'pay'), [])
})

test('[attack 78] steps that wait for each other are walked once, and leave themselves never', () => {
  const rules = { a: { required: true, dependencies: ['b'] }, b: {}, c: {} }
  assert.deepEqual(leftBy(rules, 'a'), ['b'])
  assert.deepEqual(leftBy(rules, 'b'), ['a'])
  assert.deepEqual(leftBy(rules, 'c'), ['a', 'b'])
})
