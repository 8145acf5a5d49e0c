import type { Access } from '../../src/protocol/access.ts'
import { caller, registerFlow } from '../registry/given.ts'
import { givenApproval, givenDelegation, givenEntry, givenExecution } from '../registry/given-execution.ts'
import type { TestApp } from '../support/app.ts'
import { type GivenClient, givenAgent, givenClient } from '../support/given.ts'

export const RUN = 'auto-patch'
export const ARGUMENTS = { branch: 'main', force: false, files: ['src/pay.ts'] }

/** The workflow and the agents of a client whose executions are looked at; `access` is of the client and of `apply`. */
export async function givenRunningClient(
  app: TestApp,
  action = 'applies the patch',
  access?: Access,
): Promise<GivenClient> {
  const client = await givenClient(app, access && { access })
  const { client_id } = client
  for (const agent_id of ['scanner', 'planner', 'patcher']) await givenAgent(app, client, agent_id)
  const steps = [
    { step_id: 'scan', agent_id: 'scanner', required: true },
    { step_id: 'check', approval_gate: true, required: true, dependencies: ['scan'] },
    {
      ...{ step_id: 'apply', agent_id: 'patcher', requires_approval: true, dependencies: ['check'], action },
      ...(access && { access }),
    },
    { step_id: 'tell', agent_id: 'planner', dependencies: ['apply'] },
  ]
  await registerFlow(app.ctx, caller({ client_id, sub: client_id, acting_owner: 'user:local:anna' }), steps, RUN)
  return client
}

/** An execution whose first step is entered, and of whose third an approval waits; with a delegation and its token. */
export async function givenRun(app: TestApp, { client_id }: GivenClient, asked: object = ARGUMENTS) {
  const { ctx } = app
  const execution_id = await givenExecution(ctx, client_id, RUN)
  const at = { client_id, workflow_id: RUN, execution_id }
  const jti = await givenEntry(ctx, at, { step_id: 'scan', agent_id: 'scanner' })
  const delegated = { workflow_step: 'scan', parent_jti: jti }
  const delegation_id = await givenDelegation(ctx, at, ['scanner', 'planner'], delegated)
  await givenDelegation(ctx, at, ['scanner', 'planner', 'patcher'], {
    ...{ workflow_step: 'apply', parent_delegation_id: delegation_id, revoked_at: ctx.now() },
  })
  const approval = await givenApproval(ctx, at, { step_id: 'apply', agent_id: 'patcher', arguments: asked })
  return { ...at, ...approval, jti, delegation_id }
}
