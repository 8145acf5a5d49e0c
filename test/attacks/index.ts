/**
 * Every row of the attack catalogue: `test` is path#part of a test's title; `later` what of the row waits for a part of
 * Remit that does not exist yet; `not_yet` where nothing of the row exists.
 */
export type Covered = { readonly test: string; readonly later?: string } | { readonly not_yet: string }

const JOSE = 'test/attacks/a-jose.test.ts#opens nothing at the token endpoint'
const CLIENT = 'test/attacks/b-client-authentication.test.ts'
const DPOP = 'test/attacks/c-dpop.test.ts'
const PROOF = `${DPOP}#a DPoP proof is refused for`
const DELEGATION = 'test/attacks/d-delegation.test.ts'
const ASSERTION = 'test/token/delegation.test.ts'
const LIMITS = 'test/token/delegation-limits.test.ts'
const EXCHANGE = 'test/token/token-exchange.test.ts'
const STEPS = 'test/attacks/recorded-steps.test.ts'
const SCOPES = 'test/attacks/recorded-scopes.test.ts'
const EXECUTIONS = 'test/attacks/recorded-executions.test.ts'
const CHECKSUM = 'test/attacks/f-checksum.test.ts'
const INPUT = 'test/attacks/g-input.test.ts'
const BODY = `${INPUT}#the token endpoints refuse`
const REVOKE = 'test/attacks/h-introspection-revocation.test.ts'
const REVIEW = 'test/attacks/i-review.test.ts'

const SHIM = 'Waits for the shim, the library in the agent’s process.'
const FEED = 'Waits for the signed revocation feed.'
const ROUTE_RULES = 'Waits for the route rules of the verifier.'
const CALL_BINDING = 'Waits for call binding in the verifier.'

export const attacks: Readonly<Record<number, Covered>> = {
  1: { test: JOSE },
  2: { test: JOSE },
  3: { test: 'test/attacks/a-jose.test.ts#a key registered for PS256 takes no RS256' },
  4: { test: JOSE },
  5: { test: 'test/attacks/a-jose.test.ts#no key is fetched from where a token says' },
  6: { test: JOSE },
  7: { test: JOSE },
  8: { test: JOSE },
  9: { test: JOSE },
  10: { test: JOSE },
  11: { test: JOSE },
  12: { test: JOSE },
  13: { test: JOSE },
  14: { test: JOSE },
  15: { test: JOSE },
  16: { test: JOSE },
  17: { test: 'test/http/bearer-auth.test.ts#' },
  18: {
    test: `${REVOKE}#a token that was active a moment ago`,
    later: 'The verifier has no cache of tokens to confuse.',
  },
  19: { test: JOSE },
  20: { test: `${CLIENT}#introspection and revocation take the issuer alone` },
  21: { test: `${CLIENT}#of 50 uses of one assertion at two nodes` },
  22: { test: `${CLIENT}#a jti that another client used is free` },
  23: { test: `${CLIENT}#client authentication refuses` },
  24: { test: `${CLIENT}#client authentication refuses` },
  25: { test: `${CLIENT}#client authentication refuses` },
  26: { test: `${CLIENT}#client authentication refuses` },
  27: { test: `${CLIENT}#client authentication refuses` },
  28: { test: `${CLIENT}#a revoked client, a removed key` },
  29: { test: `${CLIENT}#after 20 wrong secrets` },
  30: { test: `${CLIENT}#forwarded headers of a peer that is not trusted` },
  31: { test: PROOF },
  32: { test: PROOF },
  33: { test: PROOF },
  34: { test: PROOF },
  35: { test: PROOF },
  36: { test: `${DPOP}#htu is compared with the configured URL` },
  37: { test: PROOF },
  38: { test: `${DPOP}#a proof is taken once, at both token endpoints` },
  39: { test: `${DPOP}#one proof at two nodes at once mints once` },
  40: { test: `${DPOP}#stays taken until it is stale` },
  41: { test: `${DPOP}#a jti burnt under another key is free` },
  42: { test: 'test/attacks/gate.test.ts#a proof stays taken through kill -9' },
  43: { test: `${DPOP}#RETURNING decides what is fresh` },
  44: { test: `${DPOP}#a nonce that is forged, old, of another kind` },
  45: { test: `${DPOP}#the proof key is the one registered for the agent` },
  46: { test: `${DPOP}#no unbound token where policy demands binding` },
  47: { test: `${DPOP}#two Authorization headers are refused` },
  48: { test: `${DPOP}#gets nothing for a proof made ahead` },
  49: { test: `${DPOP}#a jwk with more members` },
  50: { test: 'test/token/subject-token.test.ts#a subject token of another issuer, client, purpose or state' },
  51: { test: `${EXCHANGE}#an actor_token is refused` },
  52: { test: `${EXCHANGE}#an actor_token is refused` },
  53: { test: `${SCOPES}#what a request says of subject, actors or intent` },
  54: { test: `${LIMITS}#a chain has at most 5 hops` },
  55: { test: `${LIMITS}#an agent occurs once in a chain` },
  56: { test: `${LIMITS}#it grants less than the parent has, never more` },
  57: { test: `${SCOPES}#scope texts that are none` },
  58: { test: `${LIMITS}#it grants less than the parent has, never more` },
  59: { test: `${ASSERTION}#each token ends at the delegation at the latest` },
  60: { test: `${LIMITS}#a mint without a proof has no delegation` },
  61: { test: `${SCOPES}#what a request says of subject, actors or intent` },
  62: { test: `${ASSERTION}#a hop of one chain is not spliced onto another` },
  63: { test: `${ASSERTION}#prev, parent and execution are those of the record` },
  64: { test: `${LIMITS}#an agent occurs once in a chain` },
  65: { test: 'test/token/delegation-steps.test.ts#an assertion is for its step and its execution alone' },
  66: { test: 'test/token/revoked-above.test.ts#below a revoked token of the middle nothing is minted' },
  67: { test: 'test/protocol/names.test.ts#ids have no pipe' },
  68: { test: `${STEPS}#a chain or completed_steps that disagree with the record` },
  69: { test: 'test/token/delegation-record.test.ts#one token is delegated from at most max_children times' },
  70: { test: 'test/verifier/delegation-proofs.test.ts#more than 3 hops are refused before any signature' },
  71: { test: `${STEPS}#a skipped required step is named` },
  72: { test: `${STEPS}#a step that was left is not minted for again` },
  73: { test: `${STEPS}#out of order is refused` },
  74: { test: 'test/attacks/parallel-entry.test.ts#1,000 rounds: two nodes that enter one step at once' },
  75: { test: `${SCOPES}#a scope marked workflow needs a recorded step` },
  76: { test: `${STEPS}#a wrong agent, a twin of a step’s name` },
  77: { test: `${EXECUTIONS}#a workflow that is redefined is a new version` },
  78: { test: 'test/attacks/recorded-definitions.test.ts#a definition that cannot be kept is 400' },
  79: { test: 'test/registry/approvals.test.ts#neither an app, a service nor a workload decides' },
  80: { test: `${EXECUTIONS}#another client’s execution, a guessed id and none at all` },
  81: { test: `${CHECKSUM}#a copied checksum and a stolen client token` },
  82: { test: `${CHECKSUM}#the checksum of an older version` },
  83: { test: 'test/registry/stated-keys.test.ts#a statement by another key is 401' },
  84: { test: 'test/registry/agent-preview.test.ts#normalisation changed the prompt' },
  85: { test: 'test/registry/agents.test.ts#hidden text is hashed as given' },
  86: { test: 'test/registry/agent-preview.test.ts#the written form of numbers reaches the checksum' },
  87: { test: 'test/protocol/checksum.test.ts#a member that the checksum would not cover' },
  88: { not_yet: SHIM },
  89: { not_yet: SHIM },
  90: { test: `${CHECKSUM}#what a shim says of itself changes nothing`, later: 'Attestation waits for the shim.' },
  91: { test: `${CHECKSUM}#a checksum is sha256 and 64 lowercase hex digits` },
  92: { test: `${CHECKSUM}#answers exactly like one that does not exist` },
  93: { test: 'test/registry/agents.test.ts#components are sealed at rest' },
  94: { test: 'test/registry/agents.test.ts#name is never given out again' },
  95: { test: 'test/registry/agents.test.ts#ids that differ only in case' },
  96: { test: BODY },
  97: { test: 'test/registry/agents.test.ts#status, version and owner cannot be sent along' },
  98: { test: BODY },
  99: { test: BODY },
  100: { test: BODY },
  101: { test: BODY },
  102: { test: BODY },
  103: { test: BODY },
  104: { test: `${INPUT}#headers and targets that are too large` },
  105: { test: 'test/http/request-guard.test.ts#' },
  106: { test: 'test/http/request-guard.test.ts#' },
  107: { test: `${INPUT}#two lengths, a length and chunks, or two Hosts` },
  108: {
    test: 'test/fetch/guarded-fetch.test.ts#an address that is not public is not even dialled',
    later: 'CIMD and logos are not built.',
  },
  109: { test: 'test/registry/cursor.test.ts#a forged, changed, foreign or empty cursor' },
  110: { test: `${INPUT}#stands in one JSON line of the log` },
  111: { test: 'test/attacks/leak.test.ts#no secret of a request is in any log line' },
  112: { test: 'test/protocol/json.test.ts#deep, wide and adversarial texts' },
  113: { test: 'test/console/guard.test.ts#a request that the page did not send' },
  114: { test: `${REVOKE}#the API’s own client learns of its tokens` },
  115: { test: 'test/attacks/cascade.test.ts#1,000 tokens that descend from one' },
  116: { test: 'test/attacks/gate.test.ts#1,000 rounds' },
  117: {
    test: 'test/attacks/gate-kinds.test.ts#signs nothing with it',
    later: 'Automatic rotation has its own issue.',
  },
  118: { test: `${REVOKE}#a token of an agent, for another audience` },
  119: { test: 'test/registry/bootstrap.test.ts#', later: 'Load and slow clients come with the fault tests.' },
  120: {
    test: `${REVOKE}#while storage is away`,
    later: 'Fail-over, full disk and clock jumps come with the fault tests.',
  },
  121: { test: `${SCOPES}#a marked scope is not had without a workflow` },
  122: { not_yet: ROUTE_RULES },
  123: { test: `${REVIEW}#an agent named like a user` },
  124: { test: `${DELEGATION}#access is pairs` },
  125: { test: 'test/registry/agent-routes.test.ts#a replaced version is not approved' },
  126: { not_yet: CALL_BINDING },
  127: { not_yet: FEED },
  128: { not_yet: FEED },
  129: { test: 'test/registry/bootstrap.test.ts#' },
  130: { test: `${REVIEW}#one proof has one place in the replay table` },
  131: { test: 'test/token/subject-token.test.ts#of an issuer that many tenants share' },
  132: { test: `${EXECUTIONS}#another user’s token does not join an execution` },
}
