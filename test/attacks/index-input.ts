import type { Covered } from './index.ts'

const CHECKSUM = 'test/attacks/f-checksum.test.ts'
const INPUT = 'test/attacks/g-input.test.ts'
const BODY = `${INPUT}#the token endpoints refuse`

/** Rows of what stands in checksums and in other input (F and G). */
export const input: Readonly<Record<number, Covered>> = {
  81: {
    tests: [
      `${CHECKSUM}#a copied checksum and a stolen client token`,
      `${CHECKSUM}#a client that may not mint intent tokens mints none`,
    ],
  },
  82: {
    tests: [
      `${CHECKSUM}#the checksum of an older version`,
      `${CHECKSUM}#a draining version mints until its time is over`,
      'test/attacks/rolling-change.test.ts#a mint that a new version without a drain overtakes',
      'test/attacks/rolling-nodes.test.ts#two nodes let a version drain to the very end',
    ],
  },
  83: {
    tests: [
      'test/registry/stated-keys.test.ts#a statement by another key is 401',
      'test/registry/stated-keys.test.ts#without one it is pending',
      'test/registry/sent-keys.test.ts#keys that differ from the agent’s make the version pending',
    ],
  },
  84: {
    tests: [
      'test/registry/agents.test.ts#white space, tool order and every member of a schema count',
      'test/registry/agent-preview.test.ts#normalisation changed the prompt',
      'test/protocol/checksum-reference.test.ts#what normalisation hides by definition',
    ],
  },
  85: {
    tests: [
      'test/registry/agents.test.ts#hidden text is hashed as given',
      'test/registry/hidden-text.test.ts#hidden, bidirectional, non-NFC and mixed-script text is seen',
      'test/protocol/visible-text.test.ts#is shown by number',
      'test/registry/agent-diff.test.ts#hidden characters of a change are visible in it',
    ],
  },
  86: {
    tests: [
      'test/protocol/jcs.test.ts#two implementations agree on every JSON value',
      'test/registry/agent-preview.test.ts#the written form of numbers reaches the checksum',
      'test/registry/agents.test.ts#integers that parsers read differently never get this far',
    ],
  },
  87: {
    tests: [
      'test/protocol/checksum.test.ts#a member that the checksum would not cover',
      'test/protocol/checksum-reference.test.ts#a member that the checksum would not cover',
      'test/registry/agents.test.ts#a tool member that the checksum does not cover is refused',
    ],
  },
  88: { tests: ['test/shim/agent.test.ts#a prompt that changed mints nothing'] },
  89: {
    tests: [
      'test/shim/agent.test.ts#a prompt that changed mints nothing',
      'test/shim/adapters/mcp-client.test.ts#a server that changes a tool and says so',
      'test/shim/adapters/mcp-client.test.ts#a server that changes a tool and keeps still',
      'test/shim/prompt-template.test.ts#a value outside its declared type is refused',
    ],
  },
  90: {
    tests: [`${CHECKSUM}#what a shim says of itself changes nothing`],
    later: 'Attestation is not built; the docs say so.',
  },
  91: {
    tests: [
      `${CHECKSUM}#a checksum is sha256 and 64 lowercase hex digits`,
      'test/protocol/checksum.test.ts#a checksum is sha256 and 64 lowercase hex digits',
    ],
  },
  92: {
    tests: [
      `${CHECKSUM}#answers exactly like one that does not exist`,
      `${CHECKSUM}#a suspended, a revoked and an unknown agent answer alike`,
      'test/registry/agents.test.ts#duplicate_agent names the version to the owner only',
      'test/attacks/constant-time.test.ts#is compared in constant time',
      'test/attacks/constant-time.test.ts#nothing that is to be guessed is compared letter by letter',
    ],
  },
  93: {
    tests: [
      'test/registry/agents.test.ts#components are sealed at rest',
      'test/registry/routes.test.ts#another client’s agents and workflows answer like unknown ones',
      'test/registry/routes.test.ts#neither the audit trail nor the log holds a prompt',
      'test/registry/agent-routes.test.ts#nobody reads another client’s agents',
    ],
  },
  94: {
    tests: [
      'test/registry/agents.test.ts#name is never given out again',
      'test/registry/agents.test.ts#a client registers for itself and for those its record names',
      'test/registry/client-deletion.test.ts#the name of a deleted client is never given out again',
    ],
  },
  95: {
    tests: ['test/registry/agents.test.ts#ids that differ only in case', `${INPUT}#what is no agent_id is unknown`],
  },
  96: {
    tests: [
      BODY,
      `${INPUT}#parameters named like members of objects are inert`,
      'test/http/strict-body.test.ts#ambiguous or hostile JSON is 400',
    ],
  },
  97: {
    tests: [
      'test/registry/agents.test.ts#status, version and owner cannot be sent along',
      `${INPUT}#members that are not the caller’s to set enter no token`,
      'test/http/strict-body.test.ts#unknown members and coerced types at the admin API',
      'test/registry/administration.test.ts#members that are not the caller’s to set, or not built',
    ],
  },
  98: {
    tests: [
      BODY,
      'test/registry/agents.test.ts#nothing is coerced into another type',
      'test/http/strict-body.test.ts#unknown members and coerced types at the admin API',
    ],
  },
  99: { tests: [BODY, `${INPUT}#introspection and revocation refuse a parameter sent twice`] },
  100: {
    tests: [
      BODY,
      'test/protocol/json.test.ts#is refused',
      'test/protocol/json.test.ts#numbers and names at the edge of what is refused are kept',
    ],
  },
  101: {
    tests: [
      BODY,
      'test/http/strict-body.test.ts#each endpoint takes its own content type only',
      'test/http/strict-body.test.ts#two Content-Type headers and a content coding',
    ],
  },
  102: {
    tests: [
      BODY,
      'test/protocol/json.test.ts#bytes that are not UTF-8 are refused',
      'test/protocol/form.test.ts#malformed escapes, bytes that are not UTF-8 and NUL',
    ],
  },
  103: {
    tests: [
      BODY,
      `${INPUT}#are each refused with less than 100 ms of work`,
      'test/protocol/json.test.ts#deep, wide and adversarial texts',
      'test/protocol/form.test.ts#64 parameters are taken, 65 are not',
    ],
  },
  104: {
    tests: [
      'test/http/request-guard.test.ts#too large headers, targets and bodies',
      `${INPUT}#headers and targets that are too large`,
      BODY,
    ],
  },
  105: {
    tests: [
      'test/http/request-guard.test.ts#other spellings of a guarded path',
      'test/http/discovery.test.ts#a file of /docs that is none',
    ],
  },
  106: {
    tests: [
      'test/http/request-guard.test.ts#other spellings of a guarded path',
      'test/http/route-permissions.test.ts#each guarded route refuses a request without a token',
    ],
  },
  107: {
    tests: [
      `${INPUT}#two lengths, a length and chunks, or two Hosts`,
      'test/http/request-guard.test.ts#exactly one Host header',
      'test/http/request-guard.test.ts#smuggling shapes',
      'test/http/request-guard.test.ts#a header named __proto__ changes nothing',
    ],
  },
  108: {
    tests: [
      'test/fetch/guarded-fetch.test.ts#an address that is not public is not even dialled',
      'test/fetch/guarded-fetch.test.ts#judged again at every fetch (rebinding)',
      'test/fetch/guarded-fetch.test.ts#redirects are not followed',
      'test/fetch/guarded-fetch.test.ts#a body is at most 64 KB',
      'test/fetch/guarded-fetch.test.ts#all of it takes at most 2.5 s',
      'test/registry/client-keys.test.ts#a jwks_uri that cannot be used is refused',
      'test/webhooks/delivery.test.ts#a webhook reaches no private address',
      `${INPUT}#no other URL than jwks_uri is taken from a caller`,
    ],
    later: 'CIMD and logos are not built.',
  },
  109: {
    tests: [
      'test/registry/cursor.test.ts#a forged, changed, foreign or empty cursor',
      'test/audit/trail.test.ts#what is no filter is refused',
      `${INPUT}#SQL in every parameter is a text like any other`,
    ],
  },
  110: {
    tests: [
      `${INPUT}#stands in one JSON line of the log`,
      'test/http/operations.test.ts#hostile input stays inside one JSON log line and out of metric labels',
    ],
  },
  111: {
    tests: [
      'test/attacks/leak.test.ts#no secret of a request is in any log line',
      'test/attacks/leak.test.ts#neither the key-encryption key nor the password',
      'test/console/session.test.ts#neither codes nor cookies nor markers',
    ],
  },
  112: { tests: ['test/protocol/regex-cost.test.ts#no regular expression takes longer'] },
  113: {
    tests: [
      'test/console/guard.test.ts#a request that the page did not send',
      'test/console/page.test.ts#is neither framed, sniffed, cached',
      'test/http/request-guard.test.ts#against DNS rebinding',
      'test/http/error-pages.test.ts#a page runs nothing and loads nothing',
      `${INPUT}#the token endpoints answer no origin`,
      'test/http/discovery.test.ts#no cross-origin header is ever sent',
    ],
  },
}
