import { agentChecksum, type ChecksumComponents } from '../../src/protocol/checksum.ts'
import type { Agent } from '../../src/shim/agent.ts'
import { createExecution, type Execution } from '../../src/shim/index.ts'
import type { KeyStore } from '../../src/shim/key-store.ts'
import type { Done, Measured, Start, Task } from './messages.ts'
import { ownAgent } from './own-agent.ts'
import { createStopwatch } from './stopwatch.ts'
import { toolCalls } from './tool-calls.ts'

/** One agent as its process has it. */
export type WorkingAgent = {
  readonly identity: Agent['identity']
  /** What its checksum covers, and that checksum. */
  readonly madeOf: () => Promise<{ components: ChecksumComponents; checksum: string; measured: readonly Measured[] }>
  readonly work: (task: Task) => Promise<Done>
  readonly changed: Promise<void>
}

/** An agent that does tasks: a step of a workflow, the tools to call in it, the next step to be handed over. */
export function workingAgent(start: Start, keyStore: KeyStore): WorkingAgent {
  const { issuer, resource } = start
  const stopwatch = createStopwatch(issuer)
  const own = ownAgent(start, keyStore, stopwatch)
  const { agent } = own
  const callTools = toolCalls(start, own, stopwatch)
  // Tokens of a step are kept with its execution: a second task in it uses the same.
  const executions = new Map<string, Execution>()

  async function work(task: Task): Promise<Omit<Done, 'measured'>> {
    const { workflow_step, handoff, arguments: toApprove } = task
    const execution = executionOf(task)
    const step = { execution, workflow_step, scope: task.scope, ...(handoff && { handoff }) }
    own.divert(task.via)
    const entered = stopwatch.begin(`enters step ${workflow_step}`)
    const minted = stopwatch.part('shim')
    return await agent.run({ ...step, ...(toApprove && { arguments: toApprove }) }, async () => {
      minted()
      entered()
      const { execution_id } = execution
      if (execution_id !== undefined) executions.set(execution_id, execution)
      const texts = await callTools(task.calls)
      return { texts, ...(execution_id !== undefined && { execution_id }), ...(await handOver(task)) }
    })
  }

  function executionOf({ workflow_id, handoff, execution_id = handoff?.execution_id }: Task): Execution {
    if (execution_id === undefined) return createExecution({ workflow_id })
    return executions.get(execution_id) ?? createExecution({ workflow_id, execution_id })
  }

  async function handOver({ hand_over }: Task): Promise<Pick<Done, 'handoff'>> {
    if (!hand_over) return {}
    const { to, ...next } = hand_over
    const done = stopwatch.begin(`signs step ${next.workflow_step} over`)
    const signed = stopwatch.part('shim')
    const handoff = await agent.delegate(to, { resource, ...next })
    signed()
    done()
    return { handoff }
  }

  return {
    identity: agent.identity,
    changed: own.changed,
    async madeOf() {
      const done = stopwatch.begin('hashes itself')
      const hashed = stopwatch.part('shim')
      const components = await agent.components()
      const checksum = agentChecksum(components)
      hashed()
      done()
      return { components, checksum, ...stopwatch.take() }
    },
    async work(task) {
      try {
        return { ...(await work(task)), ...stopwatch.take() }
      } catch (error) {
        const taken = stopwatch.take()
        if (taken.refused) return { texts: [], ...taken }
        throw error
      }
    },
  }
}
