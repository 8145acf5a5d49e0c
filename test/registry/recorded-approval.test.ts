import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StepApproval } from '../../src/server/registry/step-approval.ts'
import { ENTERED, GRANTED, judged, LEFT, refusedFor, stepsOf } from './asked-step.ts'

const steps = stepsOf({
  plan: { required: true },
  gate: { approval_gate: true },
  pay: { requires_approval: true, repeatable: true },
  tell: { dependencies: ['gate'] },
})
const record = { plan: LEFT, gate: GRANTED }
const again = { ...record, pay: { ...ENTERED, entries: 2 } }

function approval(overrides: Partial<StepApproval> = {}): StepApproval {
  return { approval_id: 'apr_1', arguments_digest: 'one', status: 'granted', entry: null, ...overrides }
}

test('[attack 71] a step that requires approval needs its own, though its gate is in the record (protocol.md section 6)', () => {
  assert.equal(judged(steps, 'pay', { record }).approval, 'missing')
})

test('a step behind a gate needs one until the gate is in the record (protocol.md section 6)', () => {
  assert.equal(judged(steps, 'tell', { record: { plan: LEFT } }).approval, 'missing')
  assert.equal(judged(steps, 'tell', { record }).approval, undefined)
})

test('a granted approval of the same digest is taken, and no other (protocol.md section 6)', () => {
  const approvals = [
    approval({ approval_id: 'apr_0', arguments_digest: null }),
    approval(),
    approval({ approval_id: 'apr_2', arguments_digest: 'two', status: 'pending' }),
  ]
  const taken = judged(steps, 'pay', { record, approvals, arguments_digest: 'one' })
  assert.deepEqual(taken.approval, approvals[1])
  assert.deepEqual(judged(steps, 'pay', { record, approvals }).approval, approvals[0])
  assert.equal(judged(steps, 'pay', { record, approvals, arguments_digest: 'two' }).approval, 'missing')
  assert.equal(judged(steps, 'pay', { record, approvals, arguments_digest: 'three' }).approval, 'missing')
})

test('one that waits is none yet (protocol.md section 6)', () => {
  const approvals = [approval({ status: 'pending' })]
  assert.equal(judged(steps, 'pay', { record, approvals, arguments_digest: 'one' }).approval, 'missing')
})

test('an approval is spent by the entry that took it: the next entry needs another (protocol.md section 6)', () => {
  const approvals = [approval({ entry: 1 })]
  const asked = { record: { ...record, pay: LEFT }, approvals, arguments_digest: 'one' }
  assert.equal(judged(steps, 'pay', asked).approval, 'missing')
  assert.equal(judged(steps, 'pay', { ...asked, record: again }).approval, 'missing')
})

test('renewals of an entry keep what it was approved for, by its digest alone too (protocol.md section 6)', () => {
  const approvals = [approval({ approval_id: 'apr_0', entry: 1 }), approval({ entry: 2 })]
  const asked = { record: again, approvals, arguments_digest: 'one', has_arguments: false }
  assert.deepEqual(judged(steps, 'pay', asked).approval, approvals[1])
})

test('a renewal that names no digest keeps the only approval of its entry, and does not choose (ADR 17)', () => {
  const one = approval({ entry: 2 })
  const two = approval({ approval_id: 'apr_2', arguments_digest: 'two', entry: 2 })
  assert.deepEqual(judged(steps, 'pay', { record: again, approvals: [one] }).approval, one)
  assert.equal(judged(steps, 'pay', { record: again, approvals: [one, two] }).approval, 'several')
})

test('another digest needs an approval of its own, within the same entry too (protocol.md section 6)', () => {
  const granted = approval({ approval_id: 'apr_2', arguments_digest: 'two' })
  const approvals = [approval({ entry: 2 }), granted]
  assert.equal(
    judged(steps, 'pay', { record: again, approvals: [approval({ entry: 2 })], arguments_digest: 'two' }).approval,
    'missing',
  )
  const asked = { record: again, approvals, arguments_digest: 'two' }
  assert.deepEqual(judged(steps, 'pay', asked).approval, granted)
})

test('a digest without its arguments opens no approval (protocol.md section 6)', () => {
  const asked = { record, arguments_digest: 'one', has_arguments: false }
  assert.equal(judged(steps, 'pay', asked).approval, 'digest_alone')
  assert.equal(
    judged(steps, 'pay', { ...asked, approvals: [approval({ status: 'pending' })] }).approval,
    'digest_alone',
  )
})

test('a digest without its arguments serves renewals only: it is not the first to use an approval (protocol.md section 6)', () => {
  const asked = { approvals: [approval()], arguments_digest: 'one', has_arguments: false }
  assert.equal(judged(steps, 'pay', { ...asked, record }).approval, 'digest_alone')
  assert.equal(judged(steps, 'pay', { ...asked, record: again }).approval, 'digest_alone')
  assert.equal(judged(steps, 'tell', { ...asked, record }).approval, 'digest_alone')
})

test('a step that is not protected takes any digest, and gets no approval by it (protocol.md section 6)', () => {
  const asked = { record, arguments_digest: 'one', has_arguments: false }
  assert.equal(judged(steps, 'tell', asked).approval, undefined)
})

test('a step that is protected no more still takes what was granted for it (ADR 17)', () => {
  const asked = { record, approvals: [approval()], arguments_digest: 'one' }
  assert.deepEqual(judged(steps, 'tell', asked).approval, approval())
  assert.equal(judged(steps, 'tell', { ...asked, arguments_digest: 'two' }).approval, undefined)
})

test('denied is final for its digest in this execution, and for no other (ADR 17)', () => {
  const approvals = [approval({ status: 'denied' })]
  assert.equal(judged(steps, 'pay', { record, approvals, arguments_digest: 'one' }).approval, 'denied')
  assert.equal(judged(steps, 'pay', { record, approvals, arguments_digest: 'two' }).approval, 'missing')
  assert.equal(judged(steps, 'pay', { record, approvals }).approval, 'missing')
})

test('a missing approval is said last: other refusals come before it (protocol.md section 6)', () => {
  assert.deepEqual(refusedFor(steps, 'pay'), ['missing_steps', 'plan'])
  const full = { ...record, pay: { ...ENTERED, tokens: 3 } }
  assert.deepEqual(refusedFor(steps, 'pay', { record: full }), ['max_tokens'])
  assert.deepEqual(refusedFor(steps, 'pay', { record, nodes: 10 }), ['max_nodes'])
})
