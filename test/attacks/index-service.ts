import type { Covered } from './index.ts'

const DELEGATION = 'test/attacks/d-delegation.test.ts'
const SCOPES = 'test/attacks/recorded-scopes.test.ts'
const EXECUTIONS = 'test/attacks/recorded-executions.test.ts'
const REVOKE = 'test/attacks/h-introspection-revocation.test.ts'
const REVIEW = 'test/attacks/i-review.test.ts'
const FEED = 'Waits for the signed revocation feed.'

/** Rows of what concerns what runs: introspection, revocation, keys, administration, and what review added (H and I). */
export const service: Readonly<Record<number, Covered>> = {
  114: {
    tests: [
      `${REVOKE}#the API’s own client learns of its tokens`,
      `${REVOKE}#whatever is no live token of ours is inactive`,
      `${REVOKE}#without authentication, or in the URL`,
      `${REVOKE}#guessing at credentials of introspection`,
    ],
  },
  115: {
    tests: [
      'test/attacks/cascade.test.ts#1,000 tokens that descend from one',
      'test/attacks/cascade.test.ts#storage fails in the middle of',
      `${REVOKE}#another client’s token is refused and lives`,
      `${REVOKE}#an unknown token is 200`,
    ],
  },
  116: {
    tests: [
      'test/attacks/gate.test.ts#1,000 rounds',
      'test/attacks/gate-order.test.ts#a mint waits for a revoke that is writing',
      'test/attacks/suspend-resume.test.ts#what was revoked before or during a suspension stays revoked',
    ],
    later: 'The revocation feed does not exist yet.',
  },
  117: {
    tests: [
      'test/keys/rotate-keys.test.ts#rotation every 10 s, 40 s ahead',
      'test/keys/rotation.test.ts#no token outlives its key',
      'test/verifier/remote-jwks.test.ts#an unknown kid costs at most one in 30 s',
      'test/keys/rotate-keys.test.ts#private or symmetric members in a row never get into the JWKS',
    ],
  },
  118: {
    tests: [
      'test/http/route-permissions.test.ts#a token of the issuer audience opens no admin route',
      'test/http/bearer-auth.test.ts#a token for another audience opens nothing here',
      'test/http/bearer-auth.test.ts#a token that speaks for an agent opens neither',
      'test/attacks/query-credentials.test.ts#an access token in the query',
      'test/attacks/query-credentials.test.ts#credentials in the query of the token endpoint',
      'test/registry/administration.test.ts#a caller gives only admin scopes that its own token has',
      'test/registry/administration.test.ts#the first approves no act of its own',
      `${REVOKE}#a token of an agent, for another audience`,
    ],
  },
  119: {
    tests: [
      'test/overload/flood.test.ts#a good client is answered within a second',
      'test/overload/connections.test.ts#sockets that say nothing',
      'test/overload/admission.test.ts#what is too much is 503 with Retry-After',
      'test/overload/admission.test.ts#64 registrations that hang in the database',
      'test/overload/limits.test.ts#the rate of a client holds over two nodes',
    ],
  },
  120: {
    tests: [
      `${REVOKE}#while storage is away`,
      'test/attacks/gate.test.ts#a proof stays taken through kill -9',
      'test/registry/act.test.ts#a repeat under the same key does nothing',
      'test/registry/act.test.ts#the same key with another body or endpoint',
    ],
    faults: ['r03-commit-cut', 'r13-disk-full', 'r14-wrong-clock', 'r19-one-holder'],
  },
  121: { tests: [`${SCOPES}#a marked scope is not had without a workflow`] },
  122: { tests: ['test/verifier/route-rules.test.ts#agent, workflow and step of the same names'] },
  123: { tests: [`${REVIEW}#an agent named like a user`] },
  124: { tests: [`${DELEGATION}#access is pairs`] },
  125: {
    tests: [
      'test/registry/agent-routes.test.ts#a replaced version is not approved',
      'test/registry/agents.test.ts#approving a version that was replaced is a conflict',
      'test/registry/agents.test.ts#nobody approves for an owner who registered it or owns the client',
      'test/registry/agent-decisions.test.ts#of two approvals of one version at once one counts',
    ],
  },
  126: { tests: ['test/verifier/call-binding.test.ts#a body that was dropped'] },
  127: { not_yet: FEED },
  128: { not_yet: FEED },
  129: {
    tests: [
      'test/registry/bootstrap.test.ts#of fifty at once one is the first administrator',
      'test/registry/bootstrap.test.ts#neither a file left lying nor the end of the last administrator',
      'test/attacks/first-administrator.test.ts#of requests at two nodes at once exactly one',
      'test/attacks/first-administrator.test.ts#is neither deleted, revoked nor stripped over HTTP',
    ],
  },
  130: { tests: [`${REVIEW}#one proof has one place in the replay table`] },
  131: { tests: ['test/token/subject-token.test.ts#of an issuer that many tenants share'] },
  132: { tests: [`${EXECUTIONS}#another user’s token does not join an execution`] },
}
