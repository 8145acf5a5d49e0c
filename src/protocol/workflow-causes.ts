/** Why a version of a workflow waits for a decision (protocol.md section 5). Without the schema: the console reads this too. */
export const WORKFLOW_CAUSES = [
  'replaced',
  'workflow_revoked',
  'order_became_graph',
  'step_removed',
  'step_moved',
  'step_added',
  'agent_changed',
  'gate_given',
  'gate_lost',
  'gate_opened',
  'approval_dropped',
  'requirement_dropped',
  'dependency_dropped',
  'access_widened',
  'made_repeatable',
  'made_reversible',
] as const
export type WorkflowCause = (typeof WORKFLOW_CAUSES)[number]

/** A cause, and the step that it is about, null where it is about the whole. */
export type WorkflowPendingCause = { readonly cause: WorkflowCause; readonly step_id: string | null }

/** Each in words that go on after "step pay: …" or stand alone. */
export const CAUSE_TEXTS: Readonly<Record<WorkflowCause, string>> = {
  replaced: 'a newer version has replaced this one; decide about that',
  workflow_revoked: 'the workflow was revoked, and comes back by approval only',
  order_became_graph: 'its first dependency makes a graph of an order, in which fewer steps are left behind',
  step_removed: 'taken away',
  step_moved: 'stands in another place',
  step_added: 'new, for an agent that had steps or for any agent',
  agent_changed: 'goes to another agent, or to any',
  gate_given: 'a gate of nobody goes to an agent, which then mints for it',
  gate_lost: 'waits for an approval gate less',
  gate_opened: 'is no approval gate any more',
  approval_dropped: 'requires no approval any more',
  requirement_dropped: 'is not required any more',
  dependency_dropped: 'waits for a dependency less',
  access_widened: 'may ask for more',
  made_repeatable: 'may be entered again',
  made_reversible: 'may mint more than one token each time it is entered',
}
