import type { ReasonEntry } from '../error-catalogue.ts'

/** The agent grant: agent, checksum, target and what a token rests on (protocol.md section 6). */
export const AGENT_REASONS: Readonly<Record<string, ReasonEntry>> = {
  unknown_agent: {
    check: 'The agent_id was looked up among the agents of this client and is not there.',
    mend: 'Check the spelling, or register the agent; agents of other clients never count.',
    command: 'remit agent list {client_id}',
  },
  agent_not_active: {
    check: 'The status of the agent was read and is suspended or revoked.',
    mend: 'Resume a suspended agent once its cause is gone; a revoked one never comes back.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  agent_checksum_mismatch: {
    check: 'The checksum that was sent was compared with every version valid now and equals none.',
    mend: 'Register what the agent runs, approve the pending version, or deploy the registered one; both sides are listed here.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  record_changed: {
    check: 'What the token would rest on changed between each of several readings and the write.',
    mend: 'The client repeats the request; find who keeps changing these records.',
    command: 'remit audit search --client {client_id}',
  },
  revoked: {
    check: 'A revocation stands that covers what this would rest on (see docs/operations.md).',
    mend: 'Find who revoked it and why; a revoked registration, agent or client is final.',
    command: 'remit audit search --client {client_id} --action revocation.create',
  },
  invalid_target: {
    check: 'The resource was looked up and compared with the access of client, agent, step and delegation.',
    mend: 'Register the resource, or add it to the access of the one that lacks it (all are listed here).',
    command: 'remit resource list',
  },
  invalid_scope: {
    check: 'Each scope was compared with the resource and with the access of client, agent, step and delegation.',
    mend: 'Give the scope to the one that lacks it (all are listed here), or ask for no more than the delegation gives.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  approval_required: {
    check:
      'The owner of the API marked a scope with approval; it needs a recorded step with an approval (see docs/executions.md).',
    mend: 'Ask without this scope, or take the mark off the resource.',
    command: 'remit resource show {resource}',
  },
  token_too_large: {
    check: 'The token would be larger than 4 KB.',
    mend: 'Ask for fewer scopes, or name fewer completed steps.',
  },
}
