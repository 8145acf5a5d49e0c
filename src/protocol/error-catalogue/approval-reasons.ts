import type { ReasonEntry } from '../error-catalogue.ts'

/** Approvals of steps, and who is told of them (protocol.md section 6). */
export const APPROVAL_REASONS: Readonly<Record<string, ReasonEntry>> = {
  max_open_approvals: {
    check: 'The approvals of the execution that wait were counted; at most 8 (see docs/executions.md).',
    mend: 'Have those decided that wait; ask again with the same arguments, which opens no second one.',
    command: 'remit approval list',
  },
  max_open_approvals_of_client: {
    check: 'The approvals of all open executions of the client that wait were counted; at most 64.',
    mend: 'Have those decided that wait, or close executions that nobody needs; ask again with the same arguments.',
    command: 'remit approval list',
  },
  approver_not_operator: {
    check:
      'The caller was compared with who may decide: a person by an issuer of purpose operator, or a client of kind operator.',
    mend: 'Sign in as a person, or decide with an operator client.',
    command: 'remit client show {caller}',
  },
  own_step: {
    check:
      'The acting owner was compared, as a person, with the initiator, the owners of the client that runs and of the one that registered the workflow, and who registered workflow and agent: one of them.',
    mend: 'Have somebody decide who has no part in it; there is no exception for an only administrator: "remit admin add --owner user:local:ben --profile-out ben.json" makes another.',
    command: 'remit approval list',
  },
  approval_decided: {
    check: 'The status of the approval was read behind its lock and is not pending: somebody was faster.',
    mend: 'Look at the decision; it stands.',
    command: 'remit approval list --status all',
  },
  execution_over: {
    check: 'The execution of the approval was read behind its lock: it ended, was revoked, or its time is over.',
    mend: 'Nothing is left to decide; the run must begin anew.',
    command: 'remit approval list',
  },
  digest_mismatch: {
    check: 'The arguments_digest of the decision was compared with that of the approval.',
    mend: 'Read the exact arguments again and decide with the digest that stands there.',
    command: 'remit approval list',
  },
  webhook_url: {
    check: 'The URL of a webhook must be https, without user name or password, and name no private address.',
    mend: 'Give it a public https URL.',
    command: 'remit webhook list',
  },
  too_many_webhooks: {
    check: 'The active webhooks were counted; at most 16.',
    mend: 'Delete one first.',
    command: 'remit webhook list',
  },
}
