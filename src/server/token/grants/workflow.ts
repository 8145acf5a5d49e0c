import type { Access } from '../../../protocol/access.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import type { WorkflowRequest } from '../../../protocol/workflow-request.ts'
import { checkAssertedStep } from '../../registry/workflow-step.ts'
import type { Agent } from '../../store/agents.ts'
import type { Client } from '../../store/clients.ts'
import type { AgentAuthorization } from '../authorization.ts'
import type { ProvenDelegation } from '../delegation.ts'
import type { PassContext } from '../known-records.ts'
import { prepareEntry, type StepEntry } from '../step-entry.ts'
import type { ForeignSubject } from '../subject-token.ts'

export type StepAuthorization = {
  readonly workflow?: NonNullable<AgentAuthorization['workflow']>
  readonly access?: Access
  /** Set in recorded mode. */
  readonly entry?: StepEntry
}

type Asked = {
  readonly request: AgentGrantRequest
  readonly client: Client
  readonly agent: Agent
  /** Whether a workflow has a step for it. */
  readonly assigned: boolean
  readonly initiator: ForeignSubject | undefined
  readonly delegation?: ProvenDelegation
}

/**
 * Row 8 of protocol.md section 6: the step of a workflow request, by the server's record or in asserted mode by [D]'s
 * rules over `completed_steps`; an agent that a workflow assigns asks without one only where its grant says so. Throws
 * `workflow_step_unauthorized`.
 */
export async function authorizeStep(ctx: PassContext, asked: Asked): Promise<StepAuthorization> {
  const { request, client, agent, initiator, delegation } = asked
  const { workflow } = request
  if (!workflow) {
    checkMayGoWithout(ctx, client, asked)
    return {}
  }
  if (client.policies.workflow_state === 'asserted') return await assertedStep(ctx, asked, workflow)
  const { agent_id } = agent
  const entry = await prepareEntry(ctx, { request, workflow, client, agent_id, initiator, delegation })
  const { execution_id, workflow_version: version } = entry
  return {
    workflow: { ...workflow, version, execution_id },
    entry,
    ...(entry.judged.access && { access: entry.judged.access }),
  }
}

function checkMayGoWithout({ known }: PassContext, { client_id }: Client, { agent, assigned }: Asked): void {
  if (agent.outside_workflow) return
  known.relyOn({ kind: 'assignment', id: client_id, part: agent.agent_id, version: assigned ? 'yes' : 'no' })
  if (!assigned) return
  throw new OAuthError(
    'workflow_step_unauthorized',
    'A workflow assigns this agent; name workflow_id and workflow_step.',
    {
      ajwt_error: 'workflow_required',
    },
  )
}

async function assertedStep(
  ctx: PassContext,
  { request, client, agent, delegation }: Asked,
  sent: WorkflowRequest,
): Promise<StepAuthorization> {
  const { arguments: _never, ...workflow } = sent
  const { workflow_id, workflow_step } = workflow
  if (workflow.execution_id !== undefined || workflow.arguments_digest !== undefined) {
    throw new OAuthError(
      'invalid_request',
      'Only a client with workflow_state recorded has executions and approvals.',
      {
        reason: 'recorded_only',
      },
    )
  }
  const active = await ctx.known.workflow(client.client_id, workflow_id)
  if (!active) {
    throw new OAuthError('workflow_step_unauthorized', 'The client has no workflow of this workflow_id.', {
      reason: 'unknown_workflow',
    })
  }
  const { access } = checkAssertedStep({
    steps: active.steps,
    workflow_step,
    agent_id: agent.agent_id,
    lent: delegation !== undefined,
    completed_steps: request.completed_steps ?? [],
  })
  return { workflow: { ...workflow, version: active.version }, ...(access && { access }) }
}
