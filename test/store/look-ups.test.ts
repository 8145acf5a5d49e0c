import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { z } from 'zod'
import { passConnection } from '../../src/server/store/database.ts'
import { recordPresentation } from '../../src/server/store/presentations.ts'
import { clientCredentials, send } from '../attacks/attempt.ts'
import { givenWorkflow } from '../attacks/given.ts'
import { delegate, givenCrew, mint } from '../token/delegating.ts'

const { world, client, agents } = await givenCrew()
const { ctx } = world
const [lead, hand] = agents
assert.ok(lead && hand)
await givenWorkflow(ctx, client, 'flow', [{ step_id: 'plan', agent_id: lead.agent_id, required: true }])

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
function readsMuch(node: Plan): boolean {
  const kind = node['Node Type']
  if (!/^Index/.test(kind)) return /Seq Scan|Bitmap|Hash Join|Merge Join|Materialize/.test(kind)
  const condition = String(node['Index Cond'] ?? '')
  // Entries that stand are many after an attack: only those of what is asked for may be looked at.
  return condition === '' || (node['Relation Name'] === 'revocation' && !/kind = .*id = /.test(condition))
}

/** What one connection has prepared, each with the steps of its plan that read much. */
async function preparedBy(session: pg.PoolClient): Promise<readonly { statement: string; much: readonly string[] }[]> {
  const { rows } = await session.query<{ name: string; statement: string; n: number }>(
    'select name, statement, coalesce(cardinality(parameter_types), 0) as n from pg_prepared_statements',
  )
  const explained = []
  for (const { name, statement, n } of rows) {
    const values = n === 0 ? '' : `(${Array.from({ length: n }, () => 'null').join(', ')})`
    const { rows: answer } = await session.query(`explain (format json) execute ${name}${values}`)
    const [{ Plan: plan }] = z.tuple([z.object({ Plan: planSchema })]).parse(answer[0]['QUERY PLAN'])
    const much = nodesOf(plan).filter(readsMuch)
    explained.push({ statement, much: much.map(node => `${node['Node Type']} ${node['Index Cond']}: ${statement}`) })
  }
  return explained
}

/** As many as a process opens: each has prepared what it was given to do. */
const CONNECTIONS = 6
const SEEN = [
  /^\s*insert into replay/,
  /^\s*insert into delegation/,
  /select from token .* for update/,
  /from execution where .* for update/s,
  /as presented_id\s*$/,
  /^\s*with entry as/,
  /^\s*insert into token/,
  /^\s*insert into audit_event/,
]

test('every statement of a mint looks rows up by an index, though it was planned when the tables were empty (ADR 23)', async () => {
  const root = await mint(world, lead, undefined, { params: { workflow_id: 'flow', workflow_step: 'plan' } })
  const step = {
    params: { workflow_id: 'flow', workflow_step: 'plan', execution_id: root.claims.intent?.execution_id ?? '' },
  }
  const assertion = await delegate(world, root, hand)
  for (let n = 0; n < 3; n += 1) await mint(world, hand, assertion, step)
  await mint(world, lead, undefined, step)
  assert.equal((await send(world, clientCredentials(world, world.client))).status, 200)
  const { chain, ...row } = await ctx.db.selectFrom('delegation').selectAll().executeTakeFirstOrThrow()
  const full = { row: { ...row, chain }, max_children: 0 }
  assert.notEqual(await ctx.commits.write(ctx, tx => recordPresentation(tx, full)), undefined)
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => passConnection(ctx.passDb)))
  try {
    const prepared = (await Promise.all(sessions.map(({ client }) => preparedBy(client)))).flat()
    for (const text of SEEN)
      assert.ok(
        prepared.some(({ statement }) => text.test(statement)),
        String(text),
      )
    assert.deepEqual(
      prepared.flatMap(({ much }) => much),
      [],
    )
  } finally {
    for (const { client } of sessions) client.release()
  }
})
