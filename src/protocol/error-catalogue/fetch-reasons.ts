import type { ReasonEntry } from '../error-catalogue.ts'

const LOOK = 'remit client show {client_id}'

/** Keys that are fetched from the jwks_uri of a client. */
export const FETCH_REASONS: Readonly<Record<string, ReasonEntry>> = {
  client_keys_unavailable: {
    check: 'The jwks_uri of the client could not be fetched, and no set that was fetched before is young enough.',
    mend: 'Open the URL from the network of the server; the next reasons in the log say what failed.',
    command: LOOK,
  },
  fetch_forbidden_url: {
    check: 'A jwks_uri must be https, without a user name or password in it.',
    mend: 'Give the client an https URL, or register its keys as jwks.',
    command: LOOK,
  },
  fetch_forbidden_address: {
    check: 'The name of the URL led to an address inside a private or special network, which is never connected to.',
    mend: 'Serve the keys at a public address, or register them as jwks. If nobody meant it, somebody probes the network.',
    command: LOOK,
  },
  fetch_unreachable: {
    check: 'No connection to the host of the URL came about: name, port, certificate or network.',
    mend: 'Open the URL from the network of the server.',
    command: LOOK,
  },
  fetch_timeout: {
    check: 'The host of the URL did not answer in time.',
    mend: 'See why it is slow; the server tries again by itself.',
    command: LOOK,
  },
  fetch_status: {
    check: 'The answer must have status 200; redirects are not followed.',
    mend: 'Give the client the URL at which the keys are, without a redirect.',
    command: LOOK,
  },
  fetch_content_type: {
    check: 'The Content-Type of the answer must be JSON, as application/jwk-set+json is.',
    mend: 'Let the host serve the file with that type.',
    command: LOOK,
  },
  fetch_encoding: {
    check: 'The answer is compressed, though it was asked for uncompressed.',
    mend: 'Let the host serve the file as it is.',
    command: LOOK,
  },
  fetch_too_large: {
    check: 'The answer is larger than 64 KB.',
    mend: 'Let the URL hold the keys alone.',
    command: LOOK,
  },
  fetch_malformed: {
    check: 'The answer is not strict JSON (RFC 7493).',
    mend: 'Let the URL hold a JSON key set.',
    command: LOOK,
  },
}
