import type { ReasonEntry } from '../error-catalogue.ts'

/** The form of a request: HTTP, JSON and form bodies (protocol.md sections 4 and 11, RFC 7493, RFC 6749). */
export const HTTP_REASONS: Readonly<Record<string, ReasonEntry>> = {
  request_target: {
    check: 'The request target must be a path; a whole URL or another form is refused (RFC 9112 section 3.2).',
    mend: 'Send the path alone; a proxy in between must not rewrite it to a URL.',
  },
  request_target_nul: {
    check: 'The request target has %00, which is U+0000: the database cannot keep it.',
    mend: 'Leave it out.',
  },
  host_header: {
    check: 'Exactly one Host header must be there (RFC 9112 section 3.2).',
    mend: 'Send one Host header; look for a proxy that adds a second one.',
  },
  host_name: {
    check: 'The Host header was compared with the configured names of the listener (see docs/operations.md).',
    mend: 'Call the server by the name in REMIT_ISSUER or REMIT_ADMIN_URL, or set these to the name that clients use.',
    command: 'remit doctor',
  },
  authorization_header: {
    check: 'The request had more than one Authorization header (RFC 9110 section 11.6.2).',
    mend: 'Send one; look for a proxy that adds its own.',
  },
  content_type_header: {
    check: 'The request had more than one Content-Type header.',
    mend: 'Send one Content-Type header.',
  },
  dpop_header: {
    check: 'The request had more than one DPoP header (RFC 9449 section 4.3).',
    mend: 'Send one proof in one DPoP header.',
  },
  request_schema: {
    check:
      'The body or the query was compared with the schema of the endpoint; a member is unknown, missing or malformed.',
    mend: 'Mend the member that the error description names; /docs on the server shows the body.',
  },
  body_not_object: {
    check: 'The JSON body must be an object.',
    mend: 'Send an object with the parameters as members.',
  },
  http_400: {
    check: 'The HTTP layer could not read the request.',
    mend: 'Check path, percent-encoding and Content-Length of the request.',
  },
  http_404: {
    check: 'The path was compared with the paths of this listener; there is none like it.',
    mend: 'Check the path; administration is on the admin listener only (REMIT_ADMIN_URL).',
  },
  http_412: { check: 'A precondition header of the request does not hold.', mend: 'Leave If-Match and the like out.' },
  http_413: {
    check: 'The body was measured against the limit of the endpoint: 64 KB, agents 1 MB, workflows 128 KB.',
    mend: 'Send a smaller body; several agents can be registered one by one.',
  },
  http_414: { check: 'The request target is longer than the server reads.', mend: 'Send parameters in the body.' },
  http_415: {
    check: 'The Content-Type (and that no Content-Encoding is sent) was compared with what the endpoint takes.',
    mend: 'Send application/x-www-form-urlencoded to /oauth, application/json everywhere else, uncompressed.',
  },
  http_416: { check: 'The Range header cannot be served.', mend: 'Leave the Range header out.' },
  http_431: { check: 'The headers are larger than 16 KB.', mend: 'Send fewer or shorter headers; look at cookies.' },
  method_not_allowed: {
    check: 'The path exists, but not for this method (RFC 9110 section 15.5.6).',
    mend: 'Use a method that the Allow header of the answer lists.',
  },
  not_found: {
    check: 'The path, or the record that it names, was looked up and is not there for this caller.',
    mend: 'Check the ids of the path against the lists; names of another client answer the same as unknown ones.',
  },
  stopping: {
    check: 'The server was told to stop and takes nothing new.',
    mend: 'Send the request again in some seconds; another node or the restarted one answers.',
  },
  server_error: {
    check: 'Something was thrown that no rule knows: a bug.',
    mend: 'Find the log line with this request id and report it with its stack.',
  },
  storage_trouble: {
    check: 'The database did not answer in time or not at all, so nothing was decided and nothing written.',
    mend: 'See that PostgreSQL runs, is not full and takes connections; then the client repeats.',
    command: 'remit doctor',
  },
  too_busy: {
    check: 'As many requests as the process can answer soon were in work, or more than its part from this address.',
    mend: 'Nothing was looked at or done: repeat after Retry-After. Where it stays so, start more nodes (docs/operations.md).',
  },
  address_rate: {
    check: 'Requests from this address were counted at all nodes: more than REMIT_ADDRESS_RATE in a minute.',
    mend: 'Behind a proxy set REMIT_TRUST_PROXY, or every caller counts as the proxy; else find who sends so many.',
  },
  unauthenticated: {
    check: 'Requests that nobody was authenticated for were counted together, by endpoint, reason and address.',
    mend: 'Look at details.counts of the row: each entry names its own reason.',
    command: 'remit audit show {audit_id}',
  },
  invalid_utf8: { check: 'The bytes of the body must be valid UTF-8.', mend: 'Encode the body in UTF-8.' },
  form_nul: { check: 'A form value has the character U+0000.', mend: 'Leave U+0000 out.' },
  forbidden_parameter: {
    check: 'A form parameter is called __proto__.',
    mend: 'Leave it out; somebody may be probing the server.',
  },
  malformed_percent_encoding: {
    check: 'A percent sign of the form is not followed by two hex digits.',
    mend: 'Encode the values as application/x-www-form-urlencoded.',
  },
  repeated_parameter: {
    check: 'A parameter was sent more than once (RFC 6749 section 3.2).',
    mend: 'Send each parameter once; lists go in JSON text.',
  },
  too_many_parameters: { check: 'The form has more than 64 parameters.', mend: 'Send what the endpoint knows only.' },
  json_bom: { check: 'The JSON text begins with a byte order mark.', mend: 'Leave it out (RFC 8259 section 8.1).' },
  json_depth: { check: 'The JSON text is nested deeper than the limit.', mend: 'Send flatter JSON.' },
  json_duplicate_member: {
    check: 'An object of the JSON text has one member twice (RFC 7493 section 2.3).',
    mend: 'Send each member once: two readers would read two different things.',
  },
  json_forbidden_member: {
    check: 'A member of the JSON text has a name that programs treat specially, such as __proto__.',
    mend: 'Leave it out; in a tool description rename it.',
  },
  json_lone_surrogate: {
    check: 'A string has half a surrogate pair, which has no UTF-8 form (RFC 7493 section 2.1).',
    mend: 'Send whole characters; look for text that was cut in the middle of an emoji.',
  },
  json_malformed: { check: 'The body is not JSON (RFC 8259).', mend: 'Send well-formed JSON.' },
  json_members: { check: 'The JSON text has more than 10,000 members.', mend: 'Send fewer members.' },
  json_not_canonical: {
    check: 'A value has no canonical JSON form (RFC 8785).',
    mend: 'Send strings, finite numbers, booleans, null, arrays and objects only.',
  },
  json_nul: { check: 'A string of the JSON text has U+0000, which the database cannot keep.', mend: 'Leave it out.' },
  json_number: {
    check: 'A number is beyond what every reader reads alike (integers up to 2^53-1, RFC 7493 section 2.2).',
    mend: 'Send larger numbers as strings.',
  },
}
