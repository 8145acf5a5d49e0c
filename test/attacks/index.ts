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
const GRANT = `${DELEGATION}#the agent grant refuses`
const WORKFLOW = 'test/attacks/e-workflow.test.ts'
const CHECKSUM = 'test/attacks/f-checksum.test.ts'
const INPUT = 'test/attacks/g-input.test.ts'
const BODY = `${INPUT}#the token endpoints refuse`
const REVOKE = 'test/attacks/h-introspection-revocation.test.ts'
const REVIEW = 'test/attacks/i-review.test.ts'

const EXCHANGE = 'Waits for token exchange and trusted issuers; until then its parameters are refused.'
const SIGNED = 'Waits for signed delegation (delegation assertions); until then they are refused.'
const EXECUTIONS = 'Waits for recorded executions; until then only the asserted rules exist.'
const APPROVALS = 'Waits for approvals; until then a scope that needs one is refused.'
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
  28: {
    test: `${CLIENT}#a revoked client, a removed key`,
    later: 'A disabled trusted issuer waits for trusted issuers.',
  },
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
  50: { test: GRANT, later: EXCHANGE },
  51: { test: GRANT, later: EXCHANGE },
  52: { test: GRANT, later: EXCHANGE },
  53: { test: `${DELEGATION}#act, may_act, intent, sub and the like` },
  54: { test: `${DELEGATION}#an asserted chain that is too long`, later: SIGNED },
  55: { test: `${DELEGATION}#an asserted chain that is too long`, later: SIGNED },
  56: { test: GRANT },
  57: { test: GRANT },
  58: { test: GRANT },
  59: { not_yet: SIGNED },
  60: { not_yet: SIGNED },
  61: { test: `${DELEGATION}#act, may_act, intent, sub and the like` },
  62: { test: GRANT, later: SIGNED },
  63: { not_yet: SIGNED },
  64: { test: `${DELEGATION}#an asserted chain that is too long`, later: SIGNED },
  65: { not_yet: EXECUTIONS },
  66: { not_yet: SIGNED },
  67: { test: 'test/protocol/names.test.ts#ids have no pipe' },
  68: { test: `${DELEGATION}#a chain on the caller’s word is said to be one`, later: EXECUTIONS },
  69: { not_yet: EXECUTIONS },
  70: { not_yet: SIGNED },
  71: { test: `${WORKFLOW}#a skipped required step is named` },
  72: { test: `${WORKFLOW}#a step that is said to be completed`, later: EXECUTIONS },
  73: { test: `${WORKFLOW}#a step of the future is not completed` },
  74: { not_yet: EXECUTIONS },
  75: { test: `${WORKFLOW}#workflow_enabled is a boolean` },
  76: { test: `${WORKFLOW}#wrong agent, unknown workflow or step` },
  77: { test: 'test/registry/workflow-life.test.ts#the same id again is a new version', later: EXECUTIONS },
  78: { test: 'test/registry/workflow-definition.test.ts#a definition that cannot be kept' },
  79: { not_yet: APPROVALS },
  80: { not_yet: EXECUTIONS },
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
    later: 'Only jwks_uri is fetched; CIMD, logos and webhooks are not built.',
  },
  109: { test: 'test/registry/cursor.test.ts#a forged, changed, foreign or empty cursor' },
  110: { test: `${INPUT}#stands in one JSON line of the log` },
  111: { test: 'test/attacks/leak.test.ts#no secret of a request is in any log line' },
  112: { test: 'test/protocol/json.test.ts#deep, wide and adversarial texts' },
  113: { test: 'test/console/guard.test.ts#a request that the page did not send' },
  114: { test: `${REVOKE}#the API’s own client learns of its tokens` },
  115: { test: `${REVOKE}#a revoked token and all that descends from it` },
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
  121: { test: `${REVIEW}#a marked scope is refused to everybody` },
  122: { not_yet: ROUTE_RULES },
  123: { test: `${REVIEW}#an agent named like a user` },
  124: { test: `${DELEGATION}#access is pairs` },
  125: { test: 'test/registry/agent-routes.test.ts#a replaced version is not approved' },
  126: { not_yet: CALL_BINDING },
  127: { not_yet: FEED },
  128: { not_yet: FEED },
  129: { test: 'test/registry/bootstrap.test.ts#' },
  130: { test: `${REVIEW}#one proof has one place in the replay table` },
  131: { not_yet: EXCHANGE },
  132: { test: GRANT, later: EXECUTIONS },
}
