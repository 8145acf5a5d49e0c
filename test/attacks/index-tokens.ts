import type { Covered } from './index.ts'

const JOSE = 'test/attacks/a-jose.test.ts#opens nothing at the token endpoint'
const CLIENT = 'test/attacks/b-client-authentication.test.ts'
const DPOP = 'test/attacks/c-dpop.test.ts'
const PROOF = `${DPOP}#a DPoP proof is refused for`
const ASSERTION = 'test/token/delegation.test.ts'
const LIMITS = 'test/token/delegation-limits.test.ts'
const EXCHANGE = 'test/token/token-exchange.test.ts'
const STEPS = 'test/attacks/recorded-steps.test.ts'
const SCOPES = 'test/attacks/recorded-scopes.test.ts'
const EXECUTIONS = 'test/attacks/recorded-executions.test.ts'

/** Rows of what a token is asked for with: JOSE, clients, DPoP, delegation, workflows (A to E). */
export const tokens: Readonly<Record<number, Covered>> = {
  1: { tests: [JOSE] },
  2: { tests: [JOSE] },
  3: { tests: ['test/attacks/a-jose.test.ts#a key registered for PS256 takes no RS256'] },
  4: { tests: [JOSE] },
  5: { tests: ['test/attacks/a-jose.test.ts#no key is fetched from where a token says'] },
  6: { tests: [JOSE] },
  7: { tests: [JOSE] },
  8: { tests: [JOSE] },
  9: { tests: [JOSE] },
  10: { tests: [JOSE] },
  11: { tests: [JOSE] },
  12: { tests: [JOSE] },
  13: { tests: [JOSE] },
  14: { tests: [JOSE] },
  15: { tests: [JOSE] },
  16: { tests: [JOSE] },
  17: { tests: ['test/http/bearer-auth.test.ts#a token for another audience opens nothing here'] },
  18: { tests: ['test/verifier/signed-tokens.test.ts#a key that left the set'] },
  19: { tests: [JOSE] },
  20: { tests: [`${CLIENT}#introspection and revocation take the issuer alone`] },
  21: { tests: [`${CLIENT}#of 50 uses of one assertion at two nodes`] },
  22: { tests: [`${CLIENT}#a jti that another client used is free`] },
  23: { tests: [`${CLIENT}#client authentication refuses`] },
  24: { tests: [`${CLIENT}#client authentication refuses`] },
  25: { tests: [`${CLIENT}#client authentication refuses`] },
  26: { tests: [`${CLIENT}#client authentication refuses`] },
  27: { tests: [`${CLIENT}#client authentication refuses`] },
  28: { tests: [`${CLIENT}#a revoked client, a removed key`] },
  29: { tests: [`${CLIENT}#after 20 wrong secrets`] },
  30: { tests: [`${CLIENT}#forwarded headers of a peer that is not trusted`] },
  31: { tests: [PROOF] },
  32: { tests: [PROOF] },
  33: { tests: [PROOF] },
  34: { tests: [PROOF] },
  35: { tests: [PROOF] },
  36: { tests: [`${DPOP}#htu is compared with the configured URL`] },
  37: { tests: [PROOF] },
  38: { tests: [`${DPOP}#a proof is taken once, at both token endpoints`] },
  39: { tests: [`${DPOP}#one proof at two nodes at once mints once`] },
  40: { tests: [`${DPOP}#stays taken until it is stale`] },
  41: { tests: [`${DPOP}#a jti burnt under another key is free`] },
  42: { tests: ['test/attacks/gate.test.ts#a proof stays taken through kill -9'] },
  43: { tests: [`${DPOP}#RETURNING decides what is fresh`] },
  44: { tests: [`${DPOP}#a nonce that is forged, old, of another kind`] },
  45: { tests: [`${DPOP}#the proof key is the one registered for the agent`] },
  46: { tests: [`${DPOP}#no unbound token where policy demands binding`] },
  47: { tests: [`${DPOP}#two Authorization headers are refused`] },
  48: { tests: [`${DPOP}#gets nothing for a proof made ahead`] },
  49: { tests: [`${DPOP}#a jwk with more members`] },
  50: {
    tests: [
      'test/token/subject-token.test.ts#a subject token of another issuer, client, purpose or state',
      'test/token/own-intent-exchange.test.ts#a token of another client, of no agent, or that has expired',
    ],
  },
  51: { tests: [`${EXCHANGE}#an actor_token is refused`] },
  52: { tests: [`${EXCHANGE}#an actor_token is refused`] },
  53: { tests: [`${SCOPES}#what a request says of subject, actors or intent`] },
  54: {
    tests: [
      `${LIMITS}#a chain has at most 5 hops`,
      'test/attacks/deep-act.test.ts#an API refuses a token with an act of 10,000 levels',
      'test/attacks/deep-act.test.ts#the server refuses an act of 10,000 levels',
      'test/attacks/deep-act.test.ts#what the server does not read it does not mint',
    ],
  },
  55: { tests: [`${LIMITS}#an agent occurs once in a chain`] },
  56: { tests: [`${LIMITS}#it grants less than the parent has, never more`] },
  57: { tests: [`${SCOPES}#scope texts that are none`] },
  58: { tests: [`${LIMITS}#it grants less than the parent has, never more`] },
  59: { tests: [`${ASSERTION}#each token ends at the delegation at the latest`] },
  60: { tests: [`${LIMITS}#a mint without a proof has no delegation`] },
  61: { tests: [`${SCOPES}#what a request says of subject, actors or intent`] },
  62: { tests: [`${ASSERTION}#a hop of one chain is not spliced onto another`] },
  63: { tests: [`${ASSERTION}#prev, parent and execution are those of the record`] },
  64: { tests: [`${LIMITS}#an agent occurs once in a chain`] },
  65: { tests: ['test/token/delegation-steps.test.ts#an assertion is for its step and its execution alone'] },
  66: {
    tests: [
      'test/token/revoked-above.test.ts#below a revoked token of the middle nothing is minted',
      'test/token/own-intent-exchange.test.ts#so is one whose parent or grand-parent was revoked',
    ],
  },
  67: { tests: ['test/protocol/names.test.ts#ids have no pipe'] },
  68: { tests: [`${STEPS}#a chain or completed_steps that disagree with the record`] },
  69: { tests: ['test/token/delegation-record.test.ts#one token is delegated from at most max_children times'] },
  70: {
    tests: [
      'test/verifier/delegation-proofs.test.ts#more than 3 hops are refused before any signature',
      'test/attacks/signature-count.test.ts#an API verifies two signatures a call',
      'test/attacks/signature-count.test.ts#the server verifies a new assertion once',
    ],
  },
  71: { tests: [`${STEPS}#a skipped required step is named`] },
  72: { tests: [`${STEPS}#a step that was left is not minted for again`] },
  73: { tests: [`${STEPS}#out of order is refused`] },
  74: { tests: ['test/attacks/parallel-entry.test.ts#1,000 rounds: two nodes that enter one step at once'] },
  75: { tests: [`${SCOPES}#a scope marked workflow needs a recorded step`] },
  76: { tests: [`${STEPS}#a wrong agent, a twin of a step’s name`] },
  77: { tests: [`${EXECUTIONS}#a workflow that is redefined is a new version`] },
  78: { tests: ['test/attacks/recorded-definitions.test.ts#a definition that cannot be kept is 400'] },
  79: { tests: ['test/registry/approvals.test.ts#neither an app, a service nor a workload decides'] },
  80: { tests: [`${EXECUTIONS}#another client’s execution, a guessed id and none at all`] },
}
