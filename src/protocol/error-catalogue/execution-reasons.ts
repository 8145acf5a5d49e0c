import type { ReasonEntry } from '../error-catalogue.ts'

const SHOW = 'remit execution show {execution_id}'
const STEPS = 'remit workflow show {client_id} {workflow_id}'

/** Executions and their steps, on the server's own record (protocol.md section 6). */
export const EXECUTION_REASONS: Readonly<Record<string, ReasonEntry>> = {
  unknown_execution: {
    check: 'The execution_id was looked up among the executions of the client.',
    mend: 'Send the execution_id that the mint of the entry step, or POST /intent/executions, answered.',
    command: 'remit execution list --client {client_id}',
  },
  execution_of_other_workflow: {
    check: 'The workflow_id that was asked for was compared with that of the execution.',
    mend: 'Name the workflow of the execution, or start an execution of this workflow.',
    command: SHOW,
  },
  execution_expired: {
    check: 'The time was compared with expires_at of the execution.',
    mend: 'Start another execution; POST /intent/executions takes expires_in up to a day.',
    command: SHOW,
  },
  execution_closed: {
    check: 'The execution was ended together with its workflow.',
    mend: 'Register the workflow again and start another execution.',
    command: SHOW,
  },
  execution_revoked: {
    check: 'The execution was revoked, by itself or with its client, workflow or initiator.',
    mend: 'Find out who revoked it and why; a revoked execution never goes on.',
    command: SHOW,
  },
  not_an_entry_step: {
    check: 'The request names no execution, and the step has dependencies or required steps before it.',
    mend: 'Send execution_id, or begin with an entry step.',
    command: STEPS,
  },
  completed_step_not_recorded: {
    check: 'Every element of completed_steps was looked up in the record of the execution.',
    mend: 'Leave completed_steps out: the server knows them.',
    command: SHOW,
  },
  step_left: {
    check: 'The step was left, because a later or dependent one was entered, and is not repeatable.',
    mend: 'Go on with the later step, or register a version in which the step is repeatable.',
    command: SHOW,
  },
  step_not_entered: {
    check: 'A mint within the step of another agent needs that step to be entered now.',
    mend: 'Let the agent of the step mint first; after it was left nothing is delegated in it.',
    command: SHOW,
  },
  step_without_agent: {
    check:
      'The client has workflow_state recorded, and a step that is no gate has no agent_id (see docs/executions.md).',
    mend: 'Assign each step to an agent, or make it an approval_gate.',
    command: 'remit workflow create FILE --client {client_id}',
  },
  step_of_nobody: {
    check: 'The step has no agent_id; in recorded mode only the assigned agent enters a step.',
    mend: 'Register a version of the workflow that assigns the step.',
    command: STEPS,
  },
  max_tokens: {
    check: 'The tokens minted since the step was entered were counted; 1 where reversible is false.',
    mend: 'Mint less often, or have the client limits raised; what cannot be undone is given one token.',
    command: SHOW,
  },
  max_nodes: {
    check: 'The tokens of the whole execution were counted against max_nodes.',
    mend: 'Start another execution, or have the client limits raised.',
    command: SHOW,
  },
  approval_pending: {
    check: 'The step needs an approval of exactly these arguments, and nobody has decided yet.',
    mend: 'Somebody of another owner decides; the mint is asked again afterwards.',
    command: 'remit approval show {approval_id}',
  },
  approval_denied: {
    check: 'An approval of exactly these arguments was denied in this execution.',
    mend: 'Read why, and ask with other arguments or in another execution.',
    command: 'remit approval list --status denied',
  },
  arguments_missing: {
    check: 'The step needs an approval that it does not have, and only the digest of the arguments came.',
    mend: 'Send the arguments themselves in authorization_details; a digest alone serves renewals.',
    command: SHOW,
  },
  approval_not_named: {
    check: 'The entry of the step took several approvals, and the renewal names the arguments of none.',
    mend: 'Send arguments or arguments_digest in authorization_details.',
    command: SHOW,
  },
  issuer_changed: {
    check: "The record of the user's issuer was compared with the one by which the subject token was read.",
    mend: 'Ask again: the token is judged by the record as it is now.',
    command: 'remit issuer list',
  },
  opened_and_ended: {
    check: 'The execution that the same subject token opened before is over: expired, closed or revoked.',
    mend: 'Send a new subject token; one token opens one execution of a workflow.',
    command: 'remit execution list --client {client_id}',
  },
  opened_otherwise: {
    check: 'The execution that the same subject token opened before was compared with what is asked for now.',
    mend: 'Leave intent_digest, limits and expires_in out to find it, or send a new subject token to open another.',
    command: 'remit execution list --client {client_id}',
  },
  execution_required: {
    check: 'The entry step needs an approval, and an approval belongs to an execution.',
    mend: 'Open the execution with POST /intent/executions and send its execution_id.',
    command: 'remit execution start {workflow_id} --client {client_id}',
  },
  arguments_too_large: {
    check: 'The bytes of the arguments in JCS were counted; there may be 32,768.',
    mend: 'Send what an approver must read, and name the rest by its digest in it.',
  },
  arguments_digest_mismatch: {
    check: 'arguments_digest was compared with the base64url SHA-256 of JCS(arguments).',
    mend: 'Leave arguments_digest out where the arguments are sent.',
  },
  limits_above_client: {
    check: 'Each limit that was asked for was compared with that of the client.',
    mend: 'Ask for lower limits, or have those of the client raised.',
    command: 'remit client show {client_id}',
  },
  other_initiator: {
    check: 'The subject token is of somebody else than the initiator of the execution.',
    mend: 'Join an execution with a token of its own initiator, or without one.',
    command: SHOW,
  },
  recorded_only: {
    check: 'The client has workflow_state asserted: it has no executions, approvals or user tokens.',
    mend: 'An administrator changes workflow_state to recorded.',
    command: 'remit client show {client_id}',
  },
  chain_not_recorded: {
    check: "The chain that was sent was compared with the one of the server's own record.",
    mend: 'Leave delegation_context.chain out, or send the delegation_assertion that makes it.',
  },
  subject_token_without_workflow: {
    check: "A user's token came with no workflow request.",
    mend: "Name workflow_id and workflow_step: a user's token starts a workflow.",
  },
  subject_token_without_delegation: {
    check: 'An intent token as subject token needs the delegation_assertion whose parent_jti is its jti.',
    mend: 'Send the assertion by which its holder delegated, or leave the subject token out.',
  },
  subject_token_own: {
    check: 'The subject token says that it is ours; it is no live intent token of this client, or its type is wrong.',
    mend: 'Send a live intent token with type urn:ietf:params:oauth:token-type:access_token.',
  },
  subject_token_revoked: {
    check: 'A revocation stands that matches the subject token.',
    mend: 'Ask its agent for another one.',
    command: 'remit audit search --action revocation.create',
  },
  too_many_proofs: {
    check: 'The API shows proofs of at most 3 hops; the chain has more.',
    mend: 'Delegate over fewer hops, or have chain_disclosure of the API changed.',
    command: 'remit resource show {resource}',
  },
  proof_by_endorsed_key: {
    check: 'The API asks for proofs, and a key of the chain is endorsed and not registered.',
    mend: 'Let agents that delegate for this API hold registered keys.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  proof_for_endorsed_key: {
    check: 'The API asks for proofs, and the key to which the last assertion delegates is endorsed and not registered.',
    mend: 'Let the agent ask with a registered key, and its delegator name that key in jkt.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  ended_meanwhile: {
    check: 'What the token would rest on (a foreign token, a delegation, an execution) ended in this second.',
    mend: 'Begin anew with a fresh one.',
  },
  actor_token_sent: {
    check: 'The request has an actor_token; the actor is always the authenticated agent.',
    mend: 'Leave actor_token and actor_token_type out.',
  },
  agent_parameter_without_agent: {
    check: 'The request has no agent_id, but a parameter that concerns one.',
    mend: 'Send agent_id, or leave the parameter out.',
  },
  // Of the delegation beside a step.
  delegation_of_earlier_entry: {
    check: 'The entry of the step that the parent token belongs to was compared with the present one.',
    mend: 'Let the agent of the step delegate again, from a token of the present entry.',
    command: SHOW,
  },
  delegation_of_recorded: {
    check: 'The client has workflow_state asserted; the parent token belongs to an execution, or to another step.',
    mend: 'In asserted mode delegate within a step only, from a token that was minted in this mode.',
    command: 'remit client show {client_id}',
  },
  delegation_of_other_execution: {
    check: 'The execution that was asked for was compared with that of the parent token.',
    mend: 'Ask in the execution in which was delegated, or leave execution_id out.',
    command: SHOW,
  },
  delegation_of_other_step: {
    check: 'The step that was asked for was compared with that of the assertion.',
    mend: 'Ask for the step that was delegated.',
  },
  delegation_of_other_workflow: {
    check: 'The workflow that was asked for was compared with that of the parent token (asserted mode).',
    mend: 'Ask for the workflow in which was delegated.',
  },
}
