import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { passConnection } from '../../src/server/store/database.ts'
import { clientCredentials, send } from '../attacks/attempt.ts'
import { givenClient, givenWorkflow } from '../attacks/given.ts'
import { ACCESS, delegate, givenCrew, givenCrewAgent, mint } from '../token/delegating.ts'

const { world } = await givenCrew()
const { ctx } = world
const client = await givenClient(ctx, 'team', {
  access: [...ACCESS, { resource: ctx.config.issuer, scope: 'generate:intent-token' }],
})
const lead = await givenCrewAgent(world, client, 'lead')
const hand = await givenCrewAgent(world, client, 'hand')
await givenWorkflow(ctx, client, 'flow', [{ step_id: 'plan', agent_id: 'lead', required: true }])

type Plan = {
  readonly 'Node Type': string
  readonly Plans?: readonly Plan[] | undefined
  readonly [more: string]: unknown
}
const planSchema: z.ZodType<Plan> = z.looseObject({
  'Node Type': z.string(),
  get Plans() {
    return z.array(planSchema).optional()
  },
})

function nodesOf(plan: Plan): readonly Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
}

/** A step whose work grows with a table, not with what is asked for. */
function readsWhole(node: Plan): boolean {
  const kind = node['Node Type']
  if (/^Index/.test(kind)) return node['Index Cond'] === undefined
  return /Seq Scan|Bitmap|Hash Join|Merge Join|Materialize/.test(kind)
}

test('every statement of a mint looks rows up by an index, though it was planned when the tables were empty (ADR 23)', async () => {
  const root = await mint(world, lead, undefined, { params: { workflow_id: 'flow', workflow_step: 'plan' } })
  const step = {
    params: { workflow_id: 'flow', workflow_step: 'plan', execution_id: root.claims.intent?.execution_id ?? '' },
  }
  const assertion = await delegate(world, root, hand)
  for (let n = 0; n < 3; n += 1) await mint(world, hand, assertion, step)
  await mint(world, lead, undefined, step)
  assert.equal((await send(world, clientCredentials(world, world.client))).status, 200)
  const { client: session } = await passConnection(ctx.passDb)
  try {
    const prepared =
      'select name, statement, coalesce(cardinality(parameter_types), 0) as n from pg_prepared_statements'
    const { rows } = await session.query<{ name: string; statement: string; n: number }>(prepared)
    assert.ok(rows.length > 6, `${rows.length} statements are prepared`)
    const found: string[] = []
    for (const { name, statement, n } of rows) {
      const values = n === 0 ? '' : `(${Array.from({ length: n }, () => 'null').join(', ')})`
      const { rows: answer } = await session.query(`explain (format json) execute ${name}${values}`)
      const [{ Plan: plan }] = z.tuple([z.object({ Plan: planSchema })]).parse(answer[0]['QUERY PLAN'])
      found.push(
        ...nodesOf(plan)
          .filter(readsWhole)
          .map(node => `${node['Node Type']}: ${statement}`),
      )
    }
    assert.deepEqual(found, [])
  } finally {
    session.release()
  }
})
