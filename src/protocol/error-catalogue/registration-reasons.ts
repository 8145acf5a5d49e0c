import type { ReasonEntry } from '../error-catalogue.ts'

const SHOW = 'remit agent show {client_id} {agent_id}'

/** Registration and approval of agents (protocol.md section 4). */
export const REGISTRATION_REASONS: Readonly<Record<string, ReasonEntry>> = {
  foreign_app: {
    check: 'app_id was compared with the caller and its registers_for; an unknown client answers the same.',
    mend: 'Register with the client itself, or name it in registers_for of the caller.',
    command: 'remit client show {caller}',
  },
  approval_policy_missing: {
    check:
      'In production a client that mints intent tokens registers only with policy require_approval (see docs/administration.md).',
    mend: 'Switch require_approval on, or register with another client.',
    command: 'remit client show {client_id}',
  },
  malformed_components: {
    check: 'agent_components were compared with their schema: agent_id, prompt_template, tools, configuration.',
    mend: 'Mend the file; remit agent create --help shows its form.',
    command: 'remit agent create --help',
  },
  unknown_component_member: {
    check: 'The components have a member that the checksum does not cover, so that nobody could vouch for it.',
    mend: 'Take it out, or put it into configuration.',
    command: 'remit agent create --help',
  },
  duplicate_tool_name: { check: 'Two tools have one name.', mend: 'Give each tool its own name.' },
  malformed_checksum: {
    check: 'A checksum is sha256: and 64 lowercase hex digits, or the digits alone.',
    mend: 'Send it so; capitals are refused.',
  },
  claimed_checksum_mismatch: {
    check: 'claimed_checksum was compared with the checksum of the components as received.',
    mend: 'Compute it over exactly what is sent, by the same profile; look for a re-encoding in between.',
  },
  grant_above_client: {
    check: 'The grant was compared with the access of the client to registered resources (see docs/administration.md).',
    mend: 'Narrow the grant, or widen the client first.',
    command: 'remit client show {client_id}',
  },
  agent_id_case: {
    check: 'The client has an agent whose id differs only in case.',
    mend: 'Use its exact spelling, or another id.',
    command: 'remit agent list {client_id}',
  },
  agent_revoked: {
    check: 'The agent was revoked; its agent_id is never given out again (see docs/operations.md).',
    mend: 'Register it under another agent_id.',
    command: SHOW,
  },
  duplicate_agent: {
    check: 'The checksum equals that of a version that is pending, active or draining.',
    mend: 'Same content: nothing was changed, nor access or keys; where it is pending, approve it. Other access: retire the version, then register again. Another key: "remit agent key add".',
    command: SHOW,
  },
  registration_id_taken: {
    check: 'No registration_id was free: too many versions of one agent in one second.',
    mend: 'Send the request again.',
  },
  not_pending: {
    check: 'The version was read and is not pending any more.',
    mend: 'Look at its status; somebody decided it before.',
    command: SHOW,
  },
  other_checksum: {
    check: 'The checksum of the decision was compared with that of the version: the two are about different content.',
    mend: 'Look at the version again, then decide with the checksum that it has.',
    command: SHOW,
  },
  replaced: {
    check: 'A newer version waits or counts; only the newest can be approved.',
    mend: 'Look at the newest version and decide about that one.',
    command: SHOW,
  },
  registering_client_not_kept: {
    check: 'The version is from before the server kept by which client somebody registered; its owner is not known.',
    mend: 'Register the same content again, and have that approved.',
    command: 'remit agent create --help',
  },
  own_proposal: {
    check:
      'The acting owner was compared with who registered it, who owns the client, who owns the client by which it came, and, where its keys or grant were proposed with an earlier version, with those of that.',
    mend: 'Have an administrator of another owner decide; with none, add one.',
    command: 'remit admin add --help',
  },
}
