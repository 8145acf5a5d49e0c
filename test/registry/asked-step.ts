import { OAuthError } from '../../src/protocol/errors.ts'
import { type WorkflowStep, workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { type AskedStep, type JudgedStep, judgeStep } from '../../src/server/registry/recorded-step.ts'
import { type StepRecord, stepGraph } from '../../src/server/registry/step-record.ts'

/** Steps from what differs: each is of the agent `ann` unless it is a gate or says otherwise. */
export function stepsOf(rules: Readonly<Record<string, object>>): readonly WorkflowStep[] {
  const steps = Object.entries(rules).map(([step_id, rule]) => {
    const isGate = 'approval_gate' in rule
    return { step_id, ...(!isGate && { agent_id: 'ann' }), ...rule }
  })
  return workflowRegistrationSchema.parse({ workflow_id: 'w', steps }).steps
}

export const ENTERED: StepRecord = { state: 'entered', entries: 1, tokens: 1 }
export const LEFT: StepRecord = { state: 'left', entries: 1, tokens: 1 }
export const GRANTED: StepRecord = { state: 'granted', entries: 1, tokens: 0 }

export type Asked = Omit<Partial<AskedStep>, 'record' | 'graph'> & { readonly record?: Record<string, StepRecord> }

/** A mint by `ann` in a running execution; `asked` says what is otherwise. */
export function judged(steps: readonly WorkflowStep[], workflow_step: string, asked: Asked = {}): JudgedStep {
  const { record = {}, ...others } = asked
  return judgeStep({
    graph: stepGraph(steps),
    record: new Map(Object.entries(record)),
    limits: { max_tokens: 3, max_children: 16, max_nodes: 10 },
    nodes: 0,
    approvals: [],
    workflow_step,
    agent_id: 'ann',
    within_step: false,
    opens: false,
    completed_steps: [],
    has_arguments: asked.arguments_digest !== undefined,
    ...others,
  })
}

/** Why it is refused, behind any code but the usual one, with the steps told as missing; undefined where it is not. */
export function refusedFor(
  steps: readonly WorkflowStep[],
  workflow_step: string,
  asked: Asked = {},
): readonly [string, ...string[]] | undefined {
  try {
    judged(steps, workflow_step, asked)
    return undefined
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, reason, details } = error
    const why = code === 'workflow_step_unauthorized' ? reason : `${code} ${reason}`
    return [why, ...(details.missing_steps ?? [])]
  }
}
