import type { Agent, DelegationOptions, Handoff, StepOptions } from '../agent.ts'
import { createExecution, type Execution } from '../execution.ts'
import { inStep } from './tool-steps.ts'

type Task = {
  readonly from: Agent
  readonly handoff: Handoff
  /** What was handed over: more is not asked for in the task. */
  readonly scope: readonly string[]
  /** One for all that is done in the task, so that its tokens are used again. */
  readonly execution: Execution | undefined
}

/** By the run of a framework, then by who was handed something in it. */
const tasksOfRuns = new WeakMap<object, Map<Agent, Task>>()

/**
 * Signs the task of a run over to another agent (protocol.md section 6). To hand it back to who handed it over, or to one
 * above, is no delegation: that agent goes on with what it has.
 */
export async function handOver(run: object, from: Agent, to: Agent, options: DelegationOptions): Promise<void> {
  const tasks = tasksOfRuns.get(run) ?? new Map<Agent, Task>()
  tasksOfRuns.set(run, tasks)
  for (let above: Agent | undefined = from; above; above = tasks.get(above)?.from) if (above === to) return
  const handoff = await inTask(run, from, undefined, async () => await from.delegate(await to.identity(), options))
  tasks.set(to, { from, handoff, scope: options.scope, execution: executionOf(handoff) })
}

/** Works as an agent in the task that it was handed in this run, where it was; its calls show the chain. */
export async function inTask<T>(
  run: object,
  agent: Agent,
  step: StepOptions | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const task = tasksOfRuns.get(run)?.get(agent)
  if (task === undefined) return await inStep(agent, step, work)
  const { from, handoff, scope, execution } = task
  const handed = { scope, ...step, handoff, ...(execution && { execution }) }
  // Within the work of who handed it over: nobody else may begin it there.
  return await inTask(run, from, undefined, () => agent.run(handed, work))
}

function executionOf({ workflow_id, execution_id }: Handoff): Execution | undefined {
  if (workflow_id === undefined) return undefined
  return createExecution({ workflow_id, ...(execution_id !== undefined && { execution_id }) })
}
