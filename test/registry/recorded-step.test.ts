import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENTERED, GRANTED, judged, LEFT, refusedFor, stepsOf } from './asked-step.ts'

const GATE = { approval_gate: true }
const access = [{ resource: 'https://api.example', scope: 'pay' }]

const orders = stepsOf({
  plan: { required: true },
  look: { repeatable: true },
  pay: { required: true, reversible: false, access },
  tell: { agent_id: 'bob', repeatable: true },
})

test('a first mint enters its step, with its ceiling, leaves earlier ones, and says the record (protocol.md section 6)', () => {
  assert.deepEqual(judged(orders, 'pay', { record: { plan: ENTERED, look: LEFT } }), {
    step: orders[2],
    access,
    how: 'entered',
    entry: 1,
    leaves: ['plan'],
    sequence: ['plan', 'look', 'pay'],
  })
})

test('a mint in an entered step renews it and leaves nothing (protocol.md section 6)', () => {
  const record = { plan: ENTERED, look: { ...ENTERED, entries: 4 }, tell: ENTERED }
  const { how, entry, leaves } = judged(orders, 'look', { record })
  assert.deepEqual({ how, entry, leaves }, { how: 'renewed', entry: 4, leaves: [] })
})

test('only entered steps are left: gates in the record stay (protocol.md section 6)', () => {
  const steps = stepsOf({ gate: GATE, a: {}, b: {}, c: {} })
  assert.deepEqual(judged(steps, 'c', { record: { gate: GRANTED, a: LEFT, b: ENTERED } }).leaves, ['b'])
})

test('the sequence is the record in definition order, gates included, the step last and once (protocol.md section 6)', () => {
  const steps = stepsOf({ a: {}, b: { repeatable: true }, gate: GATE, c: {} })
  const record = { c: ENTERED, gate: GRANTED, b: LEFT, a: LEFT }
  assert.deepEqual(judged(steps, 'b', { record }).sequence, ['a', 'gate', 'c', 'b'])
})

test('[attack 76] a step of another workflow, or a twin of its id, is none', () => {
  for (const twin of ['Plan', 'plan ', 'pl\u0430n', 'constructor']) {
    assert.deepEqual(refusedFor(orders, twin), ['unknown_step'])
  }
})

test('[attack 76] only the assigned agent enters and renews a step (protocol.md section 6)', () => {
  assert.deepEqual(refusedFor(orders, 'plan', { agent_id: 'bob' }), ['step_of_other_agent'])
  assert.deepEqual(refusedFor(orders, 'plan', { agent_id: 'bob', record: { plan: ENTERED } }), ['step_of_other_agent'])
})

test('a step of nobody is minted for by nobody (protocol.md section 5)', () => {
  assert.deepEqual(refusedFor(stepsOf({ a: { agent_id: undefined } }), 'a'), ['step_of_nobody'])
})

test('[attack 71] nothing is minted for a gate, granted or not, nor for its own agent (ADR 17)', () => {
  const steps = stepsOf({ gate: { ...GATE, agent_id: 'ann' } })
  assert.deepEqual(refusedFor(steps, 'gate'), ['step_is_gate'])
  assert.deepEqual(refusedFor(steps, 'gate', { record: { gate: GRANTED } }), ['step_is_gate'])
  assert.deepEqual(refusedFor(steps, 'gate', { record: { gate: ENTERED }, within_step: true }), ['step_is_gate'])
})

test('[attack 68] completed steps that are not in the record are refused and named, the others not (protocol.md section 6)', () => {
  const record = { plan: ENTERED }
  const completed_steps = ['plan', 'pay', 'nowhere', 'constructor']
  assert.deepEqual(refusedFor(orders, 'look', { record, completed_steps }), [
    'completed_step_not_recorded',
    'pay',
    'nowhere',
    'constructor',
  ])
  assert.equal(refusedFor(orders, 'look', { record, completed_steps: ['plan'] }), undefined)
})

test('[attack 80] a step is not done because its caller says so (protocol.md section 6)', () => {
  assert.deepEqual(refusedFor(orders, 'tell', { agent_id: 'bob', completed_steps: ['plan', 'pay'] }), [
    'completed_step_not_recorded',
    'plan',
    'pay',
  ])
})

test('only an entry step opens an execution; others name what comes before, gates too (protocol.md section 6)', () => {
  const steps = stepsOf({ a: {}, gate: { ...GATE, required: true }, b: {}, c: { dependencies: ['a'] } })
  assert.deepEqual(refusedFor(steps, 'c', { opens: true }), ['invalid_request not_an_entry_step', 'a', 'gate'])
  assert.deepEqual(refusedFor(steps, 'b', { opens: true }), ['invalid_request not_an_entry_step', 'gate'])
  assert.equal(judged(steps, 'a', { opens: true }).how, 'entered')
})

test('[attack 71] [attack 73] steps that must come before are named in definition order (protocol.md section 6)', () => {
  const steps = stepsOf({ a: { required: true }, b: { required: true }, c: { dependencies: ['d', 'a'] }, d: {} })
  assert.deepEqual(refusedFor(steps, 'c'), ['missing_steps', 'a', 'b', 'd'])
  assert.deepEqual(refusedFor(steps, 'c', { record: { a: LEFT, d: ENTERED } }), ['missing_steps', 'b'])
  assert.equal(refusedFor(steps, 'c', { record: { a: LEFT, b: LEFT, d: ENTERED } }), undefined)
})

test('its own gates are not missing, but what they wait for is, until they are granted (ADR 17)', () => {
  const steps = stepsOf({ a: {}, gate: { ...GATE, dependencies: ['a'] }, pay: { dependencies: ['gate'] } })
  assert.deepEqual(refusedFor(steps, 'pay'), ['missing_steps', 'a'])
  assert.equal(judged(steps, 'pay', { record: { a: ENTERED } }).approval, 'missing')
  assert.equal(refusedFor(steps, 'pay', { record: { gate: GRANTED } }), undefined)
})

test('[attack 72] a left step is entered again only where it is repeatable, as a new entry (protocol.md section 6)', () => {
  const record = { plan: LEFT, look: { ...LEFT, entries: 2 }, pay: ENTERED }
  assert.deepEqual(refusedFor(orders, 'plan', { record }), ['step_left'])
  const { how, entry, leaves } = judged(orders, 'look', { record })
  assert.deepEqual({ how, entry, leaves }, { how: 'entered', entry: 3, leaves: [] })
})

test('[attack 72] an entered step has at most max_tokens tokens an entry (protocol.md section 6)', () => {
  const all = { ...ENTERED, tokens: 3 }
  assert.equal(refusedFor(orders, 'plan', { record: { plan: { ...all, tokens: 2 } } }), undefined)
  assert.deepEqual(refusedFor(orders, 'plan', { record: { plan: all } }), ['max_tokens'])
  // Counted anew where it is entered again.
  assert.equal(refusedFor(orders, 'look', { record: { plan: LEFT, look: { ...LEFT, tokens: 3 } } }), undefined)
})

test('[attack 72] a step that cannot be reversed has one token an entry (protocol.md section 6)', () => {
  assert.deepEqual(refusedFor(orders, 'pay', { record: { plan: LEFT, pay: ENTERED } }), ['max_tokens'])
})

test('[attack 69] an execution has at most max_nodes tokens (protocol.md section 6)', () => {
  assert.equal(refusedFor(orders, 'plan', { nodes: 9 }), undefined)
  assert.deepEqual(refusedFor(orders, 'plan', { nodes: 10 }), ['max_nodes'])
  assert.deepEqual(refusedFor(orders, 'plan', { nodes: 10, record: { plan: ENTERED } }), ['max_nodes'])
})

test('a delegate of the step mints in it while it is entered, and counts (protocol.md section 6)', () => {
  const delegate = { agent_id: 'bob', within_step: true }
  assert.equal(judged(orders, 'plan', { ...delegate, record: { plan: ENTERED } }).how, 'renewed')
  const record = { plan: { ...ENTERED, tokens: 3 } }
  assert.deepEqual(refusedFor(orders, 'plan', { ...delegate, record }), ['max_tokens'])
})

test('[attack 72] a delegate of the step neither enters it nor enters it again (protocol.md section 6)', () => {
  const delegate = { agent_id: 'bob', within_step: true }
  assert.deepEqual(refusedFor(orders, 'plan', delegate), ['step_not_entered'])
  assert.deepEqual(refusedFor(orders, 'look', { ...delegate, record: { plan: ENTERED, look: LEFT } }), ['step_left'])
})

test('a delegation ends with the entry of the step in which it was given (ADR 17)', () => {
  const delegate = { agent_id: 'bob', within_step: true }
  const record = { plan: LEFT, look: { ...ENTERED, entries: 2 } }
  assert.deepEqual(refusedFor(orders, 'look', { ...delegate, lent_entry: 1, record }), ['delegation_of_earlier_entry'])
  assert.equal(refusedFor(orders, 'look', { ...delegate, lent_entry: 2, record }), undefined)
})
