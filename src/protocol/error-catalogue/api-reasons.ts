import type { ReasonEntry } from '../error-catalogue.ts'

/** Access tokens at our own APIs and at resources, and administration (protocol.md sections 8 and 11). */
export const API_REASONS: Readonly<Record<string, ReasonEntry>> = {
  token_missing: {
    check: 'The request has no Authorization header.',
    mend: 'Send an access token with the scheme DPoP and a proof.',
  },
  token_malformed: {
    check: 'The Authorization header must be DPoP or Bearer and one token.',
    mend: 'Send "Authorization: DPoP <token>".',
  },
  token_alg: {
    check: 'The alg of the token was compared with the list of this resource and with the published key.',
    mend: 'Take tokens of this issuer; check signing_alg of the resource.',
    command: 'remit resource show {resource}',
  },
  token_kid: {
    check: 'The kid of the token was looked up in the published keys of the issuer.',
    mend: 'Get a new token. If it is new, the resource reads the keys of another server: check its issuer.',
  },
  token_claims: {
    check: 'The claims of the token were compared with their schema.',
    mend: 'Take tokens of this issuer; verifier and server should be of one release.',
  },
  token_profile: {
    check: 'typ, cnf and sub_profile of the token must all be those of one profile.',
    mend: 'Take the token as issued.',
  },
  token_iss: {
    check: 'The iss of the token was compared with the issuer, character by character.',
    mend: 'Configure the issuer exactly as the server metadata spells it.',
  },
  token_aud: {
    check: 'The aud of the token was compared with this resource, character by character.',
    mend: 'Ask for a token with this resource; /admin and the issuer are two audiences.',
  },
  token_act_depth: { check: 'act is nested deeper than 8.', mend: 'Delegate over fewer agents.' },
  token_not_bound: {
    check: 'The token came with the scheme DPoP, but is bound to no key.',
    mend: 'Send it with the scheme Bearer where that is allowed, or get a bound token by sending a proof at the token endpoint.',
  },
  bound_token_as_bearer: {
    check: 'The token is bound to a key and came with the scheme Bearer.',
    mend: 'Send it with the scheme DPoP and a proof.',
  },
  proof_missing: {
    check: 'The token is bound to a key and no proof came with it.',
    mend: 'Send a DPoP proof with ath for each request.',
  },
  proof_by_another_key: {
    check: 'The thumbprint of the proof was compared with cnf of the token.',
    mend: 'Sign with the key for which the token was made. If nobody mixed keys up, the token was copied: revoke it.',
  },
  token_revoked: {
    check: 'A revocation stands that covers this token (see docs/operations.md).',
    mend: 'Get a new token; where that is refused too, find who revoked what.',
    command: 'remit audit search --action revocation.create',
  },
  token_scope: {
    check: 'The token that stands for the client lacks generate:intent-token.',
    mend: 'Ask for the token with this scope.',
    command: 'remit client show {client_id}',
  },
  not_a_client_token: {
    check: 'Our APIs take the token of a client or of a person, never that of an agent.',
    mend: 'Get a token by client_credentials.',
  },
  client_not_active: {
    check: 'The client of the token was read and is not active.',
    mend: 'Use another client; a revoked one is final.',
    command: 'remit client list',
  },
  grant_taken_away: {
    check:
      'The grant by which the token came is not in the record of its client now, or its trusted issuer does not stand ' +
      'or was changed since.',
    mend:
      'Give the client this grant again; for the token of a person, see that the issuer is active and names it, ' +
      'and exchange a subject token again.',
    command: 'remit client show {client_id}',
  },
  admin_token_not_bound: {
    check: 'A token for the admin API must be bound to a key, unless the client has allow_bearer_admin.',
    mend: 'Send a DPoP proof at the token endpoint, and one with each request.',
    command: 'remit client show {client_id}',
  },
  insufficient_scope: {
    check: 'The scope of the token was compared with the one that the route demands (see docs/administration.md).',
    mend: 'Ask for a token with that scope; where the client may not have it, an administrator gives it.',
    command: 'remit client show {caller}',
  },
  idempotency_key_reused: {
    check: 'The Idempotency-Key answered another body or endpoint in the last 24 hours.',
    mend: 'Send a new key with a new request.',
  },
  forged_cursor: {
    check: 'The cursor was checked by its seal and is not one of this list.',
    mend: 'Begin without a cursor, and send next_cursor back unchanged.',
  },
  no_token: {
    check: 'The bootstrap came without its one-time token.',
    mend: 'Run remit init on the host.',
    command: 'remit init',
  },
  bootstrap_token: {
    check: 'The one-time token was compared with the one in the data directory of the server.',
    mend: 'Run remit init on the host of the server, where the file can be read.',
    command: 'remit init',
  },
  bootstrap_closed: {
    check: 'The bootstrap was used once and is closed for ever.',
    mend: 'Use the administrator that it made; where its key is lost, recover on the host.',
    command: 'remit admin recover',
  },
  client_id_taken: {
    check: 'The client_id was given out before; names are never given out twice (see docs/operations.md).',
    mend: 'Choose another.',
    command: 'remit client list',
  },
  resource_taken: {
    check: 'The resource was registered before; names are never given out twice (see docs/operations.md).',
    mend: 'Change the existing one, or choose another name.',
    command: 'remit resource list',
  },
  own_resource: {
    check: 'The resource is this server itself or below it.',
    mend: 'Name an API of yours.',
  },
  too_many_reports: {
    check: 'Sixty reports of refusals of this client came within a minute; each is a row of the trail.',
    mend: 'Count refusals at the API and send them together every ten seconds, as the reporter of the verifier does.',
  },
  not_client_of_resource: {
    check:
      'Refusals are reported by the client that the record of a resource names (client_id), and for that resource.',
    mend: 'Name this client in the record of the API, or report as the client that is named there.',
    command: 'remit resource list',
  },
  unknown_resource: {
    check: 'Each resource of the access was looked up; one is not registered.',
    mend: 'Register the resource first, or correct its URL: it is compared character by character.',
    command: 'remit resource create --help',
  },
  unknown_scope: {
    check: 'Each scope of the access was compared with its resource; one is not there.',
    mend: 'Add the scope to the resource, or leave it out.',
    command: 'remit resource list',
  },
  admin_scope_not_held: {
    check:
      'The admin scopes that are given away were compared with those of the own token (see docs/administration.md).',
    mend: 'Have an administrator do it who has these scopes.',
    command: 'remit client show {caller}',
  },
  last_administrator: {
    check: 'This is the last active client with admin:clients, and bootstrap is closed for ever.',
    mend: 'Make another administrator first.',
    command: 'remit admin add --owner OWNER --profile-out FILE',
  },
}
