import type { ReasonEntry } from '../error-catalogue.ts'

const ENDORSE = 'remit agent key endorse {client_id} {agent_id} PUBLIC_KEY_FILE --agent-key AGENT_KEY_FILE'
const SIGN_AGAIN = 'Make a new one with remit agent key endorse.'

/** Key statements, shim releases, and what a restore has made too old (protocol.md sections 4 and 6). */
export const STATEMENT_REASONS: Readonly<Record<string, ReasonEntry>> = {
  statement_kid: {
    check: 'The header of the key statement has no kid.',
    mend: SIGN_AGAIN,
    command: ENDORSE,
  },
  statement_signer: {
    check:
      'The kid was looked up among the keys that iss may vouch with now: the registered keys of the agent, or, under agent_keys "endorsed", those of its client.',
    mend: 'Sign with a current key; let an administrator set agent_keys where the client shall vouch.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  statement_signer_gone: {
    check: 'The key that signed the statement was removed while the request waited for its write.',
    mend: 'Sign a new statement with a key that is still registered.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  statement_subject: {
    check: 'The sub of the statement was compared with agent:<client_id>:<agent_id> of this request.',
    mend: 'Sign one for this agent: a statement serves one agent.',
    command: ENDORSE,
  },
  statement_audience: {
    check: 'The aud of the statement must be the issuer of this server alone.',
    mend: 'Use the issuer exactly as the metadata of the server has it.',
    command: ENDORSE,
  },
  statement_jkt: {
    check: 'The jkt of the statement was compared with the thumbprint of the key that came with it.',
    mend: 'Sign one for this key. If nobody mixed them up, somebody copied a statement: it is of no use to him.',
    command: ENDORSE,
  },
  statement_jti: {
    check: 'The statement must have a jti of 1 to 256 printable characters.',
    mend: 'Put a random jti in.',
    command: ENDORSE,
  },
  statement_iat: {
    check: 'The key statement has no iat.',
    mend: 'Put the time of signing in.',
    command: ENDORSE,
  },
  statement_replayed: {
    check: 'The jti of the statement, for its signer, registered a key before: there it is taken once.',
    mend: 'Sign a new statement for each key that is registered.',
    command: ENDORSE,
  },
  key_statement_missing: {
    check: 'The key of the proof is one that was endorsed, and such a key mints only together with its statement.',
    mend: 'Send the key_statement with every token request.',
    command: ENDORSE,
  },
  endorsed_keys_full: {
    check: 'The endorsed keys of the agent that have not expired were counted against max_endorsed_keys of its client.',
    mend: 'Wait until some expire, give shorter lifetimes, or let an administrator raise the limit.',
    command: 'remit client show {client_id}',
  },
  too_many_keys: {
    check: 'The agent would have more than 16 registered keys.',
    mend: 'Remove one that is not used any more, or endorse keys instead of registering them.',
    command: 'remit agent key list {client_id} {agent_id}',
  },
  shim_none: {
    check: 'The policy shim of the client is "min_release", and the request has no X-Shim-Checksum.',
    mend: 'Update the shim in the process of the agent, which sends the header.',
    command: 'remit shim-release list',
  },
  shim_malformed: {
    check: 'X-Shim-Checksum must be the word sha256, one space and 64 lowercase hex digits.',
    mend: 'Send the header as the shim makes it.',
  },
  shim_unknown: {
    check: 'X-Shim-Checksum was looked up among the releases that were not withdrawn.',
    mend: 'Install a released version; if this one is to be one, an administrator releases it.',
    command: 'remit shim-release list',
  },
  shim_below_minimum: {
    check: 'The version of the shim was compared with the highest one that is marked as a minimum.',
    mend: 'Update the shim in the process of the agent.',
    command: 'remit shim-release list',
  },
  release_taken: {
    check: 'A version and a checksum are released once, also where the release was withdrawn.',
    mend: 'Release a new version.',
    command: 'remit shim-release list',
  },
  iat_before_epoch: {
    check: 'It was signed before the server was restored from a backup, so it may have been used since that backup.',
    mend: 'Sign a new one; set the clocks of both machines (NTP) if it is new.',
  },
  token_before_epoch: {
    check:
      'The access token was issued before the server was restored from a backup, which may have forgotten a revoke.',
    mend: 'Ask for a new token.',
  },
}
