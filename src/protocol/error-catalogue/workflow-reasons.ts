import type { ReasonEntry } from '../error-catalogue.ts'

const SHOW = 'remit workflow show {client_id} {workflow_id}'

/** Workflows and delegation chains: their definition, and asking for a step (protocol.md sections 5 and 6). */
export const WORKFLOW_REASONS: Readonly<Record<string, ReasonEntry>> = {
  workflow_required: {
    check:
      'A workflow assigns the agent a step and its grant lacks outside_workflow, or a scope is marked workflow (see docs/executions.md).',
    mend: 'Name workflow_id and workflow_step, or register the agent with outside_workflow.',
    command: 'remit workflow list {client_id}',
  },
  unknown_workflow: {
    check: 'The workflow_id was looked up among the workflows of the client; it is unknown or not active.',
    mend: 'Check the spelling, or register or approve the workflow.',
    command: 'remit workflow list {client_id}',
  },
  unknown_step: {
    check: 'The workflow_step was looked up in the version of the workflow that counts.',
    mend: 'Name a step of the definition.',
    command: SHOW,
  },
  step_of_other_agent: {
    check: 'The agent of the step was compared with the agent that asks (see docs/executions.md).',
    mend: 'Let the assigned agent ask, or register a workflow version that assigns the step to this one.',
    command: SHOW,
  },
  step_is_gate: {
    check: 'The step is an approval gate of no agent: nothing is minted for it.',
    mend: 'Ask for the step behind the gate.',
    command: SHOW,
  },
  missing_steps: {
    check:
      'The required steps before this one and its dependencies were compared with what is done: the record, or completed_steps where the client has workflow_state asserted.',
    mend: 'Do the missing steps first; where the client has workflow_state asserted, name them in completed_steps.',
    command: SHOW,
  },
  missing_gate: {
    check: 'An approval gate comes before this step and is not there or not done (see docs/executions.md).',
    mend: 'At a registration: put a step with approval_gate: true (and no agent_id) before the step. At a mint of a client with workflow_state asserted: name the gate in completed_steps once it was passed; recorded, an approval opens it.',
    command: SHOW,
  },
  unknown_completed_step: {
    check: 'Each completed step was looked up in the definition; one is not there.',
    mend: 'Name steps of this workflow only.',
    command: SHOW,
  },
  repeated_completed_step: { check: 'A completed step is named twice.', mend: 'Name each step once.', command: SHOW },
  current_step_completed: {
    check: 'The step asked for is among the completed steps.',
    mend: 'Leave the current step out of completed_steps.',
    command: SHOW,
  },
  future_step_completed: {
    check: 'A completed step can only come after the one asked for.',
    mend: 'Ask for the steps in their order.',
    command: SHOW,
  },
  half_workflow_request: {
    check: 'workflow_id, workflow_step, workflow_enabled and authorization_details must name one step together.',
    mend: 'Send workflow_id and workflow_step, the same in authorization_details, without workflow_enabled false.',
  },
  malformed_details: {
    check: 'authorization_details must be one object of type urn:remit:workflow-step (RFC 9396).',
    mend: 'Send [{"type": "urn:remit:workflow-step", "workflow_id": ..., "workflow_step": ...}].',
  },
  details_without_agent: {
    check: 'authorization_details came with client_credentials; they go with the agent grant only.',
    mend: 'Leave them out, or use the agent grant.',
  },
  steps_without_workflow: {
    check: 'completed_steps came without a workflow request.',
    mend: 'Name workflow_id and workflow_step, or leave completed_steps out.',
  },
  chain_loop: { check: 'The delegation chain names an agent twice.', mend: 'Name each agent once, root first.' },
  chain_too_long: { check: 'The delegation chain has more than 5 hops.', mend: 'Delegate over fewer agents.' },
  chain_unknown_agent: {
    check: 'Each element of the delegation chain was looked up among the agents of the client; one is not there.',
    mend: 'Name agents of this client only.',
    command: 'remit agent list {client_id}',
  },
  step_count: { check: 'A workflow has 1 to 256 steps.', mend: 'Split the workflow.' },
  too_many_dependencies: {
    check: 'The dependencies of all steps were counted; at most 1,024 together.',
    mend: 'Leave out dependencies that follow from others, or split the workflow.',
  },
  duplicate_step: { check: 'Two steps have one step_id.', mend: 'Give each step its own id.' },
  duplicate_dependency: { check: 'A step names a dependency twice.', mend: 'Name each dependency once.' },
  unknown_dependency: { check: 'A dependency is no step of the workflow.', mend: 'Name steps of this workflow.' },
  dependency_cycle: { check: 'The dependencies form a cycle.', mend: 'Take one of them out.' },
  gate_waits_for_step: {
    check: 'The gate that guards a step waits, by what comes before it, for that step.',
    mend: 'Let the gate depend on nothing that comes after it, or name the gate that is meant as a dependency.',
  },
  access_above_client: {
    check: 'The access of a step was compared with the access of the client to registered resources.',
    mend: 'Narrow the step, or widen the client first.',
    command: 'remit client show {client_id}',
  },
}
