import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from '../../src/server/context.ts'
import { getApproval } from '../../src/server/registry/approvals.ts'
import { startTestApp } from '../support/app.ts'
import { agentBody, caller, givenClient, givenResources, register } from './given.ts'
import { givenExecution, givenPayments, opened } from './given-approval.ts'
import { givenDelegation } from './given-execution.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)

/** Another person registers a version of an agent, by which the one before ends at once. */
async function registeredBy(owner: string, client_id: string, id: string): Promise<void> {
  const by = await givenClient(ctx, `${client_id}-${owner.split(':').at(-1)}`, { owner, registers_for: [client_id] })
  await register(ctx, by, agentBody(client_id, { id, prompt: `${id} of ${owner}`, drain_seconds: 0 }))
}

async function excluded(client_id: string, over: Parameters<typeof givenExecution>[2] = {}, before?: Before) {
  const execution_id = await givenExecution(ctx, client_id, over)
  const approval_id = await opened(ctx, client_id, execution_id)
  await before?.(ctx, execution_id)
  return (await getApproval(ctx, approval_id)).body.excluded_owners
}
type Before = (ctx: Context, execution_id: string) => Promise<void>

test('[attack 79] whoever registered the version that asked stays excluded when another takes its place (ADR 19)', async () => {
  await givenPayments(ctx, 'replaced')
  const owners = await excluded('replaced', {}, async () => {
    clock.advance(60)
    await registeredBy('user:local:nora', 'replaced', 'payer')
  })
  for (const owner of ['user:local:rita', 'user:local:nora']) assert.ok(owners.includes(owner), owner)
})

test('whoever registered a version that ended before the execution began has no part in it (ADR 19)', async () => {
  await givenPayments(ctx, 'past')
  clock.advance(60)
  await registeredBy('user:local:nora', 'past', 'payer')
  clock.advance(60)
  const owners = await excluded('past')
  assert.deepEqual([owners.includes('user:local:nora'), owners.includes('user:local:rita')], [true, false])
})

test('[attack 79] whoever registered the agent of the step, or the one that began, does not decide (ADR 19)', async () => {
  await givenPayments(ctx, 'parts')
  await registeredBy('user:local:stan', 'parts', 'payer')
  await registeredBy('user:local:iris', 'parts', 'starter')
  const execution_id = await givenExecution(ctx, 'parts', { initiated_by: 'agent:parts:starter' })
  const approval_id = await opened(ctx, 'parts', execution_id)
  await registeredBy('user:local:dora', 'parts', 'helper')
  await ctx.db.updateTable('approval').set({ agent_id: 'helper' }).where('approval_id', '=', approval_id).execute()
  const owners = (await getApproval(ctx, approval_id)).body.excluded_owners
  for (const owner of ['user:local:stan', 'user:local:iris', 'user:local:dora'])
    assert.ok(owners.includes(owner), owner)
})

test('[attack 79] whoever registered an agent that delegated in the execution does not decide (ADR 19)', async () => {
  await givenPayments(ctx, 'chained')
  await registeredBy('user:local:dora', 'chained', 'middle')
  const owners = await excluded('chained', {}, async (_, execution_id) => {
    await givenDelegation(ctx, { client_id: 'chained', execution_id, workflow_id: 'w' }, ['planner', 'middle', 'last'])
  })
  assert.ok(owners.includes('user:local:dora'))
  assert.ok(!(await excluded('chained')).includes('user:local:dora'))
})

test('[attack 79] who owns the client through which a job registered the agent or the workflow does not decide (ADR 19)', async () => {
  await givenPayments(ctx, 'through')
  await givenClient(ctx, 'through-jobs', { owner: 'user:local:cora', registers_for: ['through'] })
  await givenClient(ctx, 'through-flows', { owner: 'user:local:flo', registers_for: ['through'] })
  const job = { sub: 'user:ci:job', acting_owner: 'user:ci:job', registers_for: ['through'] }
  const by = caller({ ...job, client_id: 'through-jobs' })
  await register(ctx, by, agentBody('through', { id: 'payer', prompt: 'By a job.' }))
  await ctx.db
    .updateTable('workflow_version')
    .set({ registered_by: job.sub, registered_owner: job.sub, registered_client: 'through-flows' })
    .where('client_id', '=', 'through')
    .execute()
  const owners = await excluded('through')
  for (const owner of ['user:ci:job', 'user:local:cora', 'user:local:flo']) assert.ok(owners.includes(owner), owner)
})
