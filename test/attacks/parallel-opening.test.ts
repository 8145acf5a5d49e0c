import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKey } from '../support/dpop.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
import { send } from './attempt.ts'
import { givenWorkflow, givenWorld } from './given.ts'
import { startNode } from './node.ts'
import { givenCrew, stepAttempt, stepRows } from './recorded.ts'

const ROUNDS = 40

const world = await givenWorld()
const { ctx, app } = world
const node = await startNode(world)
const { client, planner } = await givenCrew(world)
const foreignKey = await generateKey()
await givenTrustedIssuer(app, foreignKey, { name: 'corp', clients: [client.client_id] })
await givenWorkflow(ctx, client, 'flow', [{ step_id: 'plan', agent_id: 'planner' }])
await givenWorkflow(ctx, client, 'final', [{ step_id: 'plan', agent_id: 'planner', reversible: false }])

/** The same first mint at both nodes at once, with one user token. */
async function race(workflow_id: string) {
  const subject_token = await foreignToken(app, foreignKey, { jti: ctx.randomId() })
  const more = { subject_token, subject_token_type: JWT_TYPE }
  const attempt = () => stepAttempt(world, '/intent/token', planner, { workflow_id, step: 'plan', more })
  const answers = await Promise.all([send(world, attempt()), send(world, attempt(), node.port)])
  const minted = answers.filter(answer => answer.status === 200)
  const [execution_id, ...others] = new Set(minted.map(({ body }) => String(body.execution_id)))
  assert.deepEqual(others, [])
  return { answers, rows: await stepRows(world, execution_id ?? '') }
}

test('[attack 74] one user token opens one execution, at two nodes at once (section 6, exchange)', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { answers, rows } = await race('flow')
    assert.deepEqual(
      answers.map(answer => answer.status),
      [200, 200],
    )
    assert.deepEqual(rows, [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 2 }])
  }
  assert.equal(await executionsOf('flow'), ROUNDS)
})

test('[attack 74] a step that cannot be undone is not had twice by opening its execution twice (section 6)', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { answers, rows } = await race('final')
    const outcomes = answers.map(({ status, body }) => (status === 200 ? status : body.ajwt_error))
    assert.deepEqual(outcomes.toSorted(), [200, 'limit_exceeded'])
    assert.deepEqual(rows, [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 1 }])
  }
  assert.equal(await executionsOf('final'), ROUNDS)
})

async function executionsOf(workflow_id: string): Promise<number> {
  const rows = await ctx.db.selectFrom('execution').select('tokens').where('workflow_id', '=', workflow_id).execute()
  return rows.length
}
