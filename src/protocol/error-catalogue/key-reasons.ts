import type { ReasonEntry } from '../error-catalogue.ts'

/** Public keys of clients and agents (protocol.md section 4, RFC 7517, RFC 7638). */
export const KEY_REASONS: Readonly<Record<string, ReasonEntry>> = {
  malformed_jwk: { check: 'The key is no JWK object (RFC 7517).', mend: 'Send the public key as a JWK.' },
  malformed_jwks: { check: 'The key set must have 1 to 16 keys.', mend: 'Send {"keys": [...]} with 1 to 16 keys.' },
  malformed_pem: { check: 'The key is not exactly one PEM "PUBLIC KEY".', mend: 'Send the SPKI PEM, or a JWK.' },
  private_key_sent: {
    check: 'The key has private members, such as d.',
    mend: 'Send the public half only. The private half has been seen by others now: make a new key.',
    command: 'remit keygen FILE',
  },
  weak_or_unknown_key: {
    check: 'The key must be Ed25519, a point on P-256, or RSA of 2048 to 8192 bits, and meant for signatures.',
    mend: 'Make a new P-256 key; an agent gets one with remit agent create --generate-key.',
    command: 'remit keygen FILE',
  },
  no_private_key: {
    check: 'What signs must be a private JWK of a key pair, with its member d.',
    mend: 'Give the private JWK, for example the file that remit keygen wrote, and not its public half.',
    command: 'remit keygen FILE',
  },
  jwks_kid: { check: 'The kids of a key set must be short and unique.', mend: 'Give each key its own kid.' },
  own_key: {
    check: 'The key is one of the signing keys of this server.',
    mend: 'Register a key of your own.',
    command: 'remit keygen FILE',
  },
  repeated_key: { check: 'One key was sent twice in one request.', mend: 'Send each key once.' },
  revoked_client_key: {
    check: 'A key of the set was revoked, and the entry of its revocation stands.',
    mend: 'Make a new key for the client and send the set without the revoked one.',
    command: 'remit keygen FILE',
  },
  agent_key_taken: {
    check:
      'The thumbprint is bound to another agent: a key serves one agent of one client, for ever (see docs/administration.md).',
    mend: 'Make a new key for this agent, and add it with "remit agent key add".',
    command: 'remit agent show {client_id} {agent_id}',
  },
  agent_key_mismatch: {
    check: 'The thumbprint of the proof was compared with the keys that the agent may use now.',
    mend: 'Sign with one of the registered keys that are listed here, or add the new key with "remit agent key add".',
    command: 'remit agent show {client_id} {agent_id}',
  },
  no_single_key: {
    check: 'Without a proof a draft token names the one registered key of the agent; this one has none or several.',
    mend: 'Send a DPoP proof, which is safer, or keep exactly one registered key.',
    command: 'remit agent show {client_id} {agent_id}',
  },
  no_active_key: {
    check: 'The server has no active signing key of the algorithm that the resource asks for.',
    mend: 'See why the keys could not be made or opened.',
    command: 'remit doctor',
  },
  clock_apart: {
    check: 'The clock of this server is more than 30 seconds from that of the database, so it issues nothing.',
    mend: 'Set the clocks of both machines by NTP; the server notices within seconds.',
    command: 'remit doctor',
  },
  jwks_unavailable: {
    check: 'The keys of the issuer could not be fetched, and no kept set is young enough.',
    mend: 'See that the resource server reaches the jwks_uri of the issuer.',
  },
  issuer_url: {
    check: 'An agent or an API was told of an issuer whose URL is plain http to another machine, or no URL.',
    mend: 'Give the issuer URL as the server has it: https, or http on the same machine.',
  },
}
