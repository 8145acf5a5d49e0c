import type { Agent } from './agents.ts'
import type { IntentRequest, RemitClient } from './remit-client.ts'
import { type AgentName, STEPS, WORKFLOW } from './story.ts'

/** What the demo has set up by the time agents ask for tokens. */
export type Scene = {
  readonly app: RemitClient
  readonly agents: Readonly<Record<AgentName, Agent>>
  /** The API the agents work with, as the audience of their tokens. */
  readonly api: string
  /** An API that is registered, but not for this app. */
  readonly payroll: string
}

/** The honest request of one step: attacks change one thing about it. */
export function requestFor(scene: Scene, step_id: string): IntentRequest {
  const step = STEPS.find(candidate => candidate.step_id === step_id)
  if (!step) throw new Error(`The story has no step ${step_id}.`)
  return {
    agent_id: step.agent_id,
    computed_checksum: `sha256:${scene.agents[step.agent_id].checksum}`,
    requested_scopes: [step.scope],
    audience: scene.api,
    workflow: { workflow_id: WORKFLOW, workflow_step: step_id, completed_steps: step.after, chain: step.chain },
  }
}
