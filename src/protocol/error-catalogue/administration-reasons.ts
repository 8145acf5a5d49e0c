import type { ReasonEntry } from '../error-catalogue.ts'

const AGENT = 'remit agent show {client_id} {agent_id}'
const CLIENT = 'remit client show {client_id}'

/** Acts of administrators on agents, clients, owners and keys (protocol.md sections 4, 9 and 11). */
export const ADMINISTRATION_REASONS: Readonly<Record<string, ReasonEntry>> = {
  pending: {
    check: 'The version waits for a decision; what was asked for is done to one that counts or did count.',
    mend: 'Approve or reject it first.',
    command: AGENT,
  },
  not_minting: {
    check: 'The version was to be retired and is neither active nor draining.',
    mend: 'Look at its status; nothing is minted for it any more.',
    command: AGENT,
  },
  already_suspended: {
    check: 'The status of the agent was read and is suspended.',
    mend: 'Nothing needs to be done; the record says by whom and why.',
    command: AGENT,
  },
  not_suspended: {
    check: 'The status of the agent was read and is not suspended.',
    mend: 'Nothing needs to be done.',
    command: AGENT,
  },
  own_suspension: {
    check:
      'The acting owner was compared with who suspended the agent and who owns its client: one of them (see docs/administration.md).',
    mend: 'Have an administrator of another owner resume it.',
    command: AGENT,
  },
  own_client: {
    check: 'The acting owner was compared with the owner of the client: the same, so that it would let itself in.',
    mend: 'Have an administrator of another owner do it.',
    command: CLIENT,
  },
  drain_too_long: {
    check: 'drain_seconds was compared with max_drain_seconds of the client.',
    mend: 'Ask for less, or raise the policy of the client.',
    command: CLIENT,
  },
  counts_now: {
    check: 'The content to go back to is that of the version that counts now.',
    mend: 'Nothing needs to be done, or name another version.',
    command: AGENT,
  },
  never_counted: {
    check: 'The version to go back to was never approved: it was rejected or replaced before it counted.',
    mend: 'Go back to one that did count, or register and approve this content.',
    command: AGENT,
  },
  revoked_checksum: {
    check: 'A version with this checksum was revoked, which is final for its content.',
    mend: 'Go back to another version, or register the content again and have it approved.',
    command: AGENT,
  },
  batch_refused: {
    check: 'A batch is registered whole or not at all, and at least one of its items was refused.',
    mend: 'Mend the items that results of the answer names, then send the whole batch again.',
  },
  duplicate_in_batch: {
    check: 'The batch has one agent or one workflow twice.',
    mend: 'Send one version of each agent, one definition of each workflow.',
  },
  no_key: { check: 'Exactly one key is added at a time.', mend: 'Send one public JWK.' },
  unknown_key: {
    check: 'The thumbprint was looked up among the registered keys of the agent and is not there.',
    mend: 'Take one that the list shows.',
    command: 'remit agent key list {client_id} {agent_id}',
  },
  key_revoked: {
    check: 'A revocation stands for the key of the proof (see docs/operations.md).',
    mend: 'Use another key; find who revoked this one, and why.',
    command: 'remit audit search --action revocation.create',
  },
  signing_key_revoked: {
    check: 'The key with which the server was about to sign was revoked at that moment.',
    mend: 'The client repeats: the next active key signs.',
    command: 'remit doctor',
  },
  too_many_published: {
    check: 'The signing keys in the JWKS were counted: 60, the most that verifiers are asked to read.',
    mend: 'Rotate less often; a key leaves the JWKS 31 minutes after it was replaced.',
    command: 'remit keys list',
  },
  initiator_revoked: {
    check: 'A revocation stands for the one in whose name the run was begun (see docs/operations.md).',
    mend: 'Find who revoked it, and why.',
    command: 'remit audit search --action revocation.create',
  },
  resource_not_active: {
    check: 'The status of the resource was read and is not active.',
    mend: 'Register another resource; names are never given out again (see docs/operations.md).',
    command: 'remit resource list',
  },
  workflow_revoked: {
    check: 'The workflow was revoked, which is final.',
    mend: 'Nothing needs to be done.',
    command: 'remit workflow list {client_id}',
  },
  own_wider_grant: {
    check:
      'The grant was to become wider, and the acting owner owns the client of the agent, or registered a version of it that counts, waits or drains.',
    mend: 'Have an administrator of another owner do it, or register a version that asks for it.',
    command: AGENT,
  },
  own_policy_lowered: {
    check:
      'A policy that asks for the approval of another owner, or for the key of the agent, was to fall, and the acting owner owns the client, or one that registers for it.',
    mend: 'Have an administrator of another owner change it.',
    command: CLIENT,
  },
  own_handover: {
    check:
      'A client with require_approval was to get another owner, and the acting owner owns it, or one that registers for it.',
    mend: 'Have an administrator of a third owner do it: neither the old nor the new owner may.',
    command: CLIENT,
  },
  own_client_asserted: {
    check: 'workflow_state was to become asserted, and the acting owner owns the client, or one that registers for it.',
    mend: 'Ask an administrator of another owner; from then on the client vouches for its own steps.',
    command: 'remit client show {client_id}',
  },
  open_executions: {
    check: 'The executions of the workflow were looked up; some are open (see docs/operations.md).',
    mend: 'Wait until they end, or end them with close=true: nothing more is minted in them, and what was minted expires by itself.',
    command: 'remit workflow deregister {workflow_id} --close --help',
  },
  client_deleted: {
    check: 'The status of the client was read and is deleted.',
    mend: 'Nothing needs to be done; its name is never given out again (see docs/operations.md).',
    command: CLIENT,
  },
  no_secret: {
    check: 'The client authenticates with keys and has no secret to rotate.',
    mend: 'Change its jwks or jwks_uri instead.',
    command: CLIENT,
  },
  no_keys: {
    check: 'The client authenticates with a secret, so that keys would never be asked for.',
    mend: 'Change token_endpoint_auth_method with a new client, or rotate the secret.',
    command: CLIENT,
  },
  too_many_secrets: {
    check: 'The client has 8 secrets that have not ended.',
    mend: 'Wait for one to end, or rotate without overlap, which ends all others.',
    command: CLIENT,
  },
  last_client_key: {
    check: 'The key is the only one of a client, which could not authenticate any more.',
    mend: 'Give the client a new key first, or revoke the client.',
    command: 'remit client list',
  },
  admin_keys_scope: {
    check: 'Revoking a signing key of this server needs the scope admin:keys beside revoke.',
    mend: 'Have an administrator do it who has both.',
    command: 'remit client show {caller}',
  },
  malformed_id: {
    check: 'The id of the revocation was compared with the form that ids of this kind have (see docs/operations.md).',
    mend: 'An agent is client_id/agent_id, a key its thumbprint of 43 characters, an initiator a subject name.',
    command: 'remit revoke --help',
  },
  same_owner: {
    check: 'The old and the new owner are the same.',
    mend: 'Name another owner.',
    command: 'remit owner list',
  },
  unknown_owner: {
    check: 'The owner was looked up and owns no client.',
    mend: 'Check the spelling, as user:local:anna.',
    command: 'remit owner list',
  },
  own_takeover: {
    check: 'The acting owner would become the owner itself, and could then approve for itself.',
    mend: 'Have an administrator of another owner do it.',
    command: 'remit owner list',
  },
}
