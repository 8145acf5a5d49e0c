import type { Access } from '../../../protocol/access.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import type { Context } from '../../context.ts'
import { checkAssertedStep } from '../../registry/workflow-step.ts'
import type { Agent } from '../../store/agents.ts'
import type { Client } from '../../store/clients.ts'
import { agentIsAssigned, findActiveWorkflow } from '../../store/workflows.ts'
import type { AgentAuthorization } from '../authorization.ts'

type StepAuthorization = { readonly workflow?: AgentAuthorization['workflow']; readonly access?: Access }

/**
 * Row 8 of protocol.md section 6, asserted: the step of a workflow request by [D]'s rules over `completed_steps`; an
 * agent that a workflow assigns asks without one only where its grant says so. Throws `workflow_step_unauthorized`.
 */
export async function authorizeStep(
  ctx: Context,
  request: AgentGrantRequest,
  client: Client,
  agent: Agent,
): Promise<StepAuthorization> {
  if (!request.workflow) {
    if (!agent.outside_workflow && (await agentIsAssigned(ctx, client.client_id, agent.agent_id))) {
      throw new OAuthError(
        'workflow_step_unauthorized',
        'A workflow assigns this agent; name workflow_id and workflow_step.',
        {
          ajwt_error: 'workflow_required',
        },
      )
    }
    return {}
  }
  const { workflow_id, workflow_step } = request.workflow
  const workflow = await findActiveWorkflow(ctx, client.client_id, workflow_id)
  if (!workflow) {
    throw new OAuthError('workflow_step_unauthorized', 'The client has no workflow of this workflow_id.', {
      reason: 'unknown_workflow',
    })
  }
  const { access } = checkAssertedStep({
    steps: workflow.steps,
    workflow_step,
    agent_id: agent.agent_id,
    completed_steps: request.completed_steps ?? [],
  })
  return { workflow: { ...request.workflow, version: workflow.version }, ...(access && { access }) }
}
