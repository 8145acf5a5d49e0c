import type { ReasonEntry } from '../error-catalogue.ts'

const LIST = 'remit issuer list'

/** Trusted issuers: their records, and the tokens of theirs that are exchanged (protocol.md section 6). */
export const ISSUER_REASONS: Readonly<Record<string, ReasonEntry>> = {
  subject_token_type: {
    check: 'subject_token_type was compared with typ of the token: id_token is JWT or none, access_token is at+jwt.',
    mend: 'Say what the token is; urn:ietf:params:oauth:token-type:jwt fits every JWT that the record takes.',
  },
  subject_token_issuer: {
    check: 'iss of the token was looked up among the records that name this client and have the purpose asked for.',
    mend: 'Trust the issuer for this purpose, and name the client in its record.',
    command: LIST,
  },
  subject_token_claims: {
    check: 'aud, the claims that must be equal, and acr of the token were compared with the records of its issuer.',
    mend: 'Read the token with remit token decode, and compare it with the record.',
    command: LIST,
  },
  subject_token_ambiguous: {
    check: 'More than one record of the issuer is for this token, so that nobody could say whom it names.',
    mend: 'Tell the records apart by audience or claims, for example by the claim of the tenant.',
    command: LIST,
  },
  subject_token_alg: {
    check: 'alg of the token was compared with algs of the record.',
    mend: 'Add the algorithm to the record where the issuer really signs with it.',
    command: LIST,
  },
  subject_token_key: {
    check: 'kid and alg of the token were compared with the keys of the issuer; not exactly one fits.',
    mend: 'See that the keys of the record are those of the issuer, and that none was revoked here.',
    command: LIST,
  },
  subject_token_event: {
    check: 'The token has the claim events: it tells of something that happened, and proves nobody (RFC 8417).',
    mend: 'Send an ID token or an access token.',
  },
  iat_missing: {
    check: 'The token has no iat, so that nobody can say how old it is.',
    mend: 'Let the issuer write iat.',
  },
  subject_token_old: {
    check: 'iat of the token lies longer ago than max_age of the record.',
    mend: 'Get a fresh token; max_age of the record may be raised up to a day.',
    command: LIST,
  },
  subject_before_revocation: {
    check: 'The subject of the token was revoked as an initiator, and iat of the token lies before that revocation.',
    mend: 'Sign in again; while the entry stands nothing is exchanged for this subject.',
    command: 'remit revocation list',
  },
  subject_token_unproven: {
    check: 'The token has cnf: it needs a DPoP proof by the key of cnf.jkt, and no other member is understood.',
    mend:
      'Sign the proof of the request with the key that the token is bound to. POST /intent/executions takes no bound ' +
      'token: start the execution by a mint.',
  },
  issuer_keys_unavailable: {
    check: 'The jwks_uri of the issuer was asked, did not answer with keys, and none are kept from before.',
    mend: 'See that this server reaches the jwks_uri; the log says why it did not.',
    command: LIST,
  },
  issuer_rights_missing: {
    check: 'A record for operators or workloads needs a claim that must be equal, and access or access_by_claim.',
    mend: 'Name the claim that tells your people from those of others, and what they may have.',
    command: 'remit issuer create FILE',
  },
  issuer_not_https: {
    check: 'The issuer of a record must be an https URL.',
    mend: 'Use the https issuer; for development start the server with REMIT_ALLOW_PRIVATE_FETCH=1.',
    command: 'remit issuer create FILE',
  },
  own_issuer: {
    check: 'The issuer of the record was compared with the issuer of this server.',
    mend: 'Name the issuer whose people or workloads are meant.',
    command: 'remit issuer create FILE',
  },
  own_only: {
    check: 'The access of a record for operators or workloads was compared with the two resources of this server.',
    mend: 'Name the issuer of this server, or that with /admin behind it.',
    command: 'remit issuer create FILE',
  },
  workload_approves: {
    check: 'The access of a record for workloads has approve:agents or approve:steps.',
    mend: 'Leave them out: people approve, by a record of purpose operator.',
    command: 'remit issuer create FILE',
  },
  issuer_name_taken: {
    check: 'The name was looked up among all records there ever were.',
    mend: 'Choose another name; that of a deleted record stays taken, because it stands in old subject names.',
    command: LIST,
  },
  issuer_deleted: {
    check: 'The status of the record was read and is deleted.',
    mend: 'Create another record, under another name.',
    command: LIST,
  },
}
