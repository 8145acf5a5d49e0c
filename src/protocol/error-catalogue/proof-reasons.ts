import type { ReasonEntry } from '../error-catalogue.ts'

/** DPoP proofs and the form of every signed thing (protocol.md section 3, RFC 9449, RFC 7515, RFC 8725). */
export const PROOF_REASONS: Readonly<Record<string, ReasonEntry>> = {
  dpop_alg: {
    check: 'The alg of the proof was compared with ES256, EdDSA, Ed25519, PS256 and with its own key.',
    mend: 'Sign proofs with one of these; ES256 with a P-256 key is the usual choice.',
  },
  dpop_ath: {
    check: 'The ath of the proof was compared with the SHA-256 of the access token that came with it.',
    mend: 'Make the proof after the token, with ath = base64url(SHA-256(token)).',
  },
  dpop_bd: { check: 'The bd of the proof must be base64url of a SHA-256.', mend: 'Send 43 base64url characters.' },
  dpop_exp: { check: 'The proof has an exp that has passed.', mend: 'Sign a new proof for each request.' },
  dpop_htm: {
    check: 'The htm of the proof was compared with the method of the request.',
    mend: 'Sign the proof for the method that is used, in capitals.',
  },
  dpop_htu: {
    check: 'The htu of the proof was compared with the public URL of the endpoint, without query.',
    mend: 'Use the URL from the metadata. Behind a proxy, REMIT_ISSUER and REMIT_ADMIN_URL are what clients see.',
    command: 'remit doctor',
  },
  dpop_iat: {
    check: 'The iat of the proof must lie between 60 seconds ago and 10 seconds ahead.',
    mend: 'Set the clocks of both machines (NTP), and sign a proof for each request just before it.',
  },
  dpop_jti: { check: 'The proof must have a jti of 1 to 256 printable characters.', mend: 'Put a random jti in.' },
  dpop_nbf: { check: 'The nbf of the proof lies more than 10 seconds ahead.', mend: 'Set the clocks (NTP).' },
  dpop_nonce: { check: 'The nonce of the proof is no nonce of ours by its form.', mend: 'Send DPoP-Nonce unchanged.' },
  dpop_scope: { check: 'The scope member of the proof is malformed.', mend: 'Send scopes with single spaces.' },
  dpop_nonce_missing: {
    check: 'The policy dpop_nonce of the client is "required", and the proof has no nonce.',
    mend: 'The client repeats with the DPoP-Nonce of the answer; seldom, this is the normal first try of a client.',
    command: 'remit client show {client_id}',
  },
  dpop_nonce_not_current: {
    check: 'The nonce of the proof was compared with those of this minute and the two before.',
    mend: 'The client repeats with the DPoP-Nonce of the answer; it must take the newest one it saw.',
  },
  dpop_replayed: {
    check: 'The jti of the proof, for this key, was claimed by an earlier request.',
    mend: 'Sign a new proof for each request, also for a repeat. If nobody repeats, somebody copied a proof: revoke the key.',
  },
  proof_replayed: {
    check: 'The jti of the proof, for this key, was claimed by an earlier request.',
    mend: 'Sign a new proof for each request, also for a repeat. If nobody repeats, somebody copied a proof: revoke the key.',
  },
  proof_required: {
    check: 'No DPoP proof was sent, and the policies of client and resource do not allow a token without one.',
    mend: 'Send a DPoP proof. Only where that is impossible: agent_proof "optional" and allow_bearer at client and resource.',
    command: 'remit client show {client_id}',
  },
  server_key_in_proof: {
    check: 'The key of the proof is one of the signing keys of this server.',
    mend: 'Use a key of your own. If nobody made a mistake here, look into how the key got out.',
    command: 'remit keys list',
  },
  agent_key_for_client: {
    check: 'A token for the client itself was asked for with a key that belongs to one of its agents.',
    mend: 'Sign with another key; the key of an agent is for the agent grant only.',
  },
  malformed_jws: {
    check: 'A signed value must be a compact JWS: three parts in canonical base64url, at most 16 KB.',
    mend: 'Send the JWT unchanged; look for a copy that was cut or wrapped.',
  },
  jws_alg: {
    check:
      'The alg of the header was compared with that of the key, never taken from the token (RFC 8725 section 3.1).',
    mend: 'Sign with the algorithm that fits the registered key.',
  },
  jws_embedded_jwk: {
    check: 'The header has a jwk where the key must be known beforehand.',
    mend: 'Leave jwk out of the header; it belongs into DPoP proofs only.',
  },
  jws_header_refused: {
    check: 'The header has crit, b64, jku, x5u, x5c or x5t, or alg or typ is no string (RFC 8725 section 3.10).',
    mend: 'Sign with alg, typ and kid only.',
  },
  jws_kid: { check: 'The kid of the header must be 1 to 128 printable characters.', mend: 'Send a shorter kid.' },
  jws_signature: {
    check: 'The signature was verified with the registered key and does not fit.',
    mend: 'Sign with the private half of the key that is registered; compare the thumbprints.',
    command: 'remit client show {client_id}',
  },
  jws_typ: {
    check: 'The typ of the header was compared with the kinds taken here (RFC 8725 section 3.11).',
    mend: 'Use dpop+jwt for proofs, client-authentication+jwt or JWT for client assertions.',
  },
  exp_missing: { check: 'The signed value has no exp.', mend: 'Put an exp in, at most 300 seconds after iat.' },
  exp_passed: {
    check: 'The exp of the signed value was compared with the clock of the server and has passed.',
    mend: 'Get or sign a new one; set the clocks of both machines (NTP).',
  },
  iat_future: {
    check: 'The iat lies further ahead of the clock of the server than is allowed.',
    mend: 'Set the clocks of both machines (NTP).',
  },
  nbf_future: {
    check: 'The nbf lies further ahead of the clock of the server than is allowed.',
    mend: 'Set the clocks of both machines (NTP).',
  },
  lifetime_too_long: {
    check: 'exp minus iat was compared with the longest lifetime taken here.',
    mend: 'Sign for a shorter time: client assertions at most 300 seconds.',
  },
  time_not_integer: {
    check: 'exp, iat and nbf must be whole seconds, until the year 9999 (RFC 7519 section 2).',
    mend: 'Send NumericDate values: whole seconds, not milliseconds, not text.',
  },
}
