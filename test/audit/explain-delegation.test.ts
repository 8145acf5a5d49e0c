import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explanationSchema } from '../../src/protocol/audit-views.ts'
import { send } from '../attacks/attempt.ts'
import { WRITE_API } from '../attacks/given.ts'
import { givenAdmin } from '../support/given.ts'
import { type Asked, delegate, givenCrew, mint, mintAttempt } from '../token/delegating.ts'
import { caller } from './given.ts'

const { world, agents } = await givenCrew()
const [delegator, holder] = agents
assert.ok(delegator && holder)
const asAdmin = caller(world.app, await givenAdmin(world.app), 'admin')
const root = await mint(world, delegator, undefined, { scope: 'read write' })

/** What the explanation of a mint under a delegation says of it. */
async function refusedUnder(assertion: string | undefined, asked: Asked) {
  assert.ok(holder)
  const answer = await send(world, mintAttempt(world, holder, assertion, asked))
  assert.equal(answer.status, 400, answer.text)
  const { body } = await asAdmin('GET', `/admin/v1/explain/${answer.headers['x-request-id']}`)
  const about = explanationSchema.parse(body)
  const given = about.facts.find(({ name }) => name === 'delegation')?.value
  return { answer, about, given }
}

test('a scope outside a delegation: what that leaves stands among the facts, and in no answer', async () => {
  const narrow = await delegate(world, root, holder, { scope: 'read' })
  const { answer, about, given } = await refusedUnder(narrow, { scope: 'read write' })
  assert.deepEqual([about.reason, given], ['invalid_scope', 'read'])
  assert.match(about.mend, /ask for no more than the delegation gives/)
  assert.equal('delegated_scope' in answer.body, false)
})

test('another API than that of the delegation: it leaves nothing there', async () => {
  const { about, given } = await refusedUnder(await delegate(world, root, holder), { resource: WRITE_API })
  assert.deepEqual([about.reason, given], ['invalid_target', 'none'])
})

test('without a delegation no fact speaks of one', async () => {
  const { about, given } = await refusedUnder(undefined, { scope: 'read other' })
  assert.deepEqual([about.reason, given], ['invalid_scope', undefined])
})
