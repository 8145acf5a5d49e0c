import type { ReasonEntry } from '../error-catalogue.ts'

/** Who asks: client authentication, and the client's own rights at the token endpoints (protocol.md sections 3 and 6). */
export const CLIENT_REASONS: Readonly<Record<string, ReasonEntry>> = {
  no_credentials: {
    check: 'The request names no way of client authentication.',
    mend: 'Send a client assertion, a secret, or HTTP Basic, as the client was registered.',
    command: 'remit client show {client_id}',
  },
  two_auth_methods: {
    check: 'The request authenticates the client in two ways at once (RFC 6749 section 2.3).',
    mend: 'Send one of Authorization header, client_secret and client_assertion.',
  },
  other_auth_method: {
    check: 'The method of the request was compared with token_endpoint_auth_method of the client.',
    mend: 'Authenticate as the client was registered, or change its method.',
    command: 'remit client show {client_id}',
  },
  other_client_id: {
    check: 'The parameter client_id was compared with the client that the credentials name.',
    mend: 'Leave client_id out, or send that of the credentials.',
  },
  unknown_auth_scheme: {
    check: 'The scheme of the Authorization header is none that the token endpoint knows.',
    mend: 'Use Basic, or Bearer with a client token for the agent grant.',
  },
  malformed_basic: {
    check: 'The value of HTTP Basic must be base64 of two form-encoded halves (RFC 6749 section 2.3.1).',
    mend: 'Form-encode client id and secret, join them with a colon, then base64.',
  },
  bearer_not_accepted: {
    check: 'An access token stands for the client at the agent grant only.',
    mend: 'Authenticate the client by its own method here.',
  },
  bound_client_token: {
    check: 'The access token that stands for the client came with the scheme DPoP; only an unbound one is taken here.',
    mend: 'Use a Bearer token for <issuer>, or authenticate the client by its own method, which is better.',
  },
  client_or_secret: {
    check: 'Client id and secret were compared with the records; one of the two is wrong, or the secret has ended.',
    mend: 'Check the spelling of the client id and whether the secret was rotated.',
    command: 'remit client show {client_id}',
  },
  unknown_client: {
    check: 'The client_id was looked up and there is no such client.',
    mend: 'Check the spelling; the list shows every client.',
    command: 'remit client list',
  },
  client_unknown: {
    check: 'The sub of the client assertion was looked up: there is no such client, or it has no keys.',
    mend: 'Check iss and sub of the assertion against the list.',
    command: 'remit client list',
  },
  client_key_unknown: {
    check: 'The alg and kid of the client assertion were compared with the registered keys; not exactly one fits.',
    mend: 'Sign with a registered key and name its kid; register the new key before using it.',
    command: 'remit client show {client_id}',
  },
  client_revoked: {
    check: 'The status of the client was read and is not active (final; see docs/operations.md).',
    mend: 'A revoked or deleted client does not come back; register a new one.',
    command: 'remit client show {client_id}',
  },
  assertion_type: {
    check: 'client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer, with an assertion.',
    mend: 'Send both parameters (RFC 7523 section 2.2).',
  },
  assertion_subject: {
    check: 'iss and sub of the client assertion must both be the client_id (RFC 7523 section 3).',
    mend: 'Sign with iss and sub equal to the client_id.',
  },
  assertion_audience: {
    check: 'aud of the client assertion must be the issuer alone (RFC 10070), not the token endpoint, not a list.',
    mend: 'Set aud to the issuer of the server metadata, exactly as written there.',
  },
  assertion_jti: {
    check: 'The client assertion must have a jti of 1 to 256 characters.',
    mend: 'Put a random jti in.',
  },
  assertion_replayed: {
    check: 'The jti of the client assertion was claimed by an earlier request.',
    mend: 'Sign a new assertion for each request, also for a repeat. If nobody repeats, somebody copied it: change the key.',
    command: 'remit client show {client_id}',
  },
  too_many_failures: {
    check:
      'Twenty authentications of this client from this address failed within a minute, at all nodes together; more are held back.',
    mend: 'Find the process with the wrong secret. The brake lets go by itself after a minute.',
    command: 'remit audit search --action request.refuse',
  },
  client_rate: {
    check: 'Requests of this client were counted at all nodes: more than REMIT_CLIENT_RATE in a minute.',
    mend: 'A token serves until it expires: keep it instead of asking for one a call, or raise the rate (docs/operations.md).',
    command: 'remit client show {client_id}',
  },
  too_many_checksums: {
    check: 'Twenty different wrong checksums of this agent came from this address within a minute; all are held back.',
    mend: 'A rollout sends one or two. If nobody tries out builds there, somebody guesses with the key of the client: change it.',
    command: 'remit client show {client_id}',
  },
  unauthorized_client: {
    check: 'The grant_type was compared with grant_types of the client.',
    mend: 'Add the grant to the client, or use one that it has.',
    command: 'remit client show {client_id}',
  },
  no_intent_token_scope: {
    check: 'The access of the client was searched for <issuer> with generate:intent-token.',
    mend: 'Add this pair to the access of the client.',
    command: 'remit client show {client_id}',
  },
  unsupported_grant_type: {
    check: 'The grant_type is none that the endpoint knows.',
    mend: 'Send client_credentials or the agent grant; /intent/token takes the agent grant only.',
  },
  malformed_parameter: {
    check: 'A parameter of the request is missing or malformed.',
    mend: 'Mend the parameter that the error description named.',
  },
  malformed_scope: {
    check: 'The scope is empty or malformed; there is no default.',
    mend: 'Send at least one scope; several with single spaces between them.',
  },
  several_resources: {
    check: 'More than one resource or audience was named; a token has one (RFC 8707).',
    mend: 'Ask for one token for each resource.',
  },
  resource_not_unique: {
    check: 'Without resource, the access of the client was searched for these scopes: no or several resources fit.',
    mend: 'Send the resource parameter.',
    command: 'remit client show {client_id}',
  },
  subject_name: {
    check: 'A subject name must be agent:<client>:<agent>, user:<issuer>:<sub> or a client_id.',
    mend: 'Mend the name.',
  },
  token_of_other_client: {
    check: 'The token to revoke was issued to another client (RFC 7009 section 2.1).',
    mend: 'Its own client revokes it; an administrator revokes any token.',
    command: 'remit revoke token JTI --reason TEXT',
  },
}
