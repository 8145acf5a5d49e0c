import { accessText } from '../../protocol/access.ts'
import { type ExecutionStepView, limitsText } from '../../protocol/execution.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import { findExecution, findExecutionSteps, type PinnedExecution } from '../store/executions.ts'
import { type CountingWorkflow, findActiveWorkflow } from '../store/workflows.ts'
import { stepViews } from './execution-steps.ts'
import { summaryView } from './execution-views.ts'
import { type Fact, fact } from './explain-facts.ts'
import { stepGraph } from './step-record.ts'

const MOST_STEPS = 20

/** What a request for a step named, as far as the registry knows it. */
type AskedStep = {
  readonly client_id: string
  readonly workflow_id: string
  readonly workflow_step?: string | null | undefined
}

/** The version that a new execution would get. */
export async function workflowFacts(ctx: Context, asked: AskedStep): Promise<readonly Fact[]> {
  const workflow = await findActiveWorkflow(ctx, asked.client_id, asked.workflow_id)
  if (!workflow) return [fact('workflow', 'none is active')]
  return versionFacts(workflow, asked.workflow_step)
}

/** An execution goes on by the version it was opened with: that one, and what of it was entered. */
export async function executionFacts(
  ctx: Context,
  execution: PinnedExecution,
  workflow_step: string | null | undefined,
): Promise<readonly Fact[]> {
  const { execution_id, client_id, workflow_id, workflow_version, access, steps } = execution
  const [counting, recorded] = await Promise.all([
    findActiveWorkflow(ctx, client_id, workflow_id),
    findExecutionSteps(ctx, execution_id),
  ])
  const views = stepViews(stepGraph(steps), recorded, [])
  const { status, expires_at, tokens_minted, limits, initiated_by } = summaryView(execution, ctx.now())
  const counts = counting ? `${counting.version} counts for new executions` : 'none is active now'
  const isNewest = counting?.version === workflow_version
  return [
    fact('execution', `${execution_id} of workflow ${workflow_id}, client ${client_id}`),
    fact('execution status', status === 'open' ? `open until ${expires_at}` : status),
    fact('execution initiated_by', initiated_by),
    fact('execution access (from the issuer of its user)', access === null ? 'no ceiling' : accessText(access)),
    fact('execution limits', `${limitsText(limits)}; ${tokens_minted} tokens minted`),
    ...versionFacts({ version: workflow_version, steps }, workflow_step),
    ...(isNewest ? [] : [fact('workflow version now', counts)]),
    ...(['entered', 'left', 'granted', 'open', 'waiting'] as const).map(state =>
      fact(`execution steps ${state}`, inState(views, state)),
    ),
  ]
}

/** The execution of a row; undefined where it names none that is there. */
export async function executionOf(ctx: Context, execution_id: string | null): Promise<PinnedExecution | undefined> {
  return execution_id === null ? undefined : await findExecution(ctx, execution_id)
}

function versionFacts({ version, steps }: CountingWorkflow, workflow_step: string | null | undefined): Fact[] {
  const asked = steps.find(({ step_id }) => step_id === workflow_step)
  return [
    fact('workflow version', version),
    fact('workflow steps', listed(steps.map(({ step_id, agent_id }) => `${step_id}: ${agent_id ?? 'any'}`))),
    ...steps.slice(0, MOST_STEPS).flatMap(step => accessFact(step)),
    ...(asked && steps.indexOf(asked) >= MOST_STEPS ? accessFact(asked) : []),
  ]
}

function accessFact({ step_id, access }: WorkflowStep): readonly Fact[] {
  return access ? [fact(`workflow step ${step_id} access`, accessText(access))] : []
}

function inState(views: readonly ExecutionStepView[], state: ExecutionStepView['state']): string {
  return listed(views.filter(view => view.state === state).map(({ step_id }) => step_id))
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_STEPS
  return `${names.slice(0, MOST_STEPS).join(', ')}${more > 0 ? `, and ${more} more` : ''}`
}
