import type { ReasonEntry } from '../error-catalogue.ts'

const SIGN_NEW = 'Let the delegator sign a new assertion, with the values of its own token.'
const SHOW_AGENT = 'remit agent show {client_id} {agent_id}'
const BEGIN_ANEW = 'Begin the chain anew at an agent that may act.'
const NOT_OURS =
  'If the token came from this server, report it as a bug; if not, somebody put a chain together that nobody signed.'

/** Delegation assertions at the token endpoint, and their walk at an API (protocol.md sections 6 and 8). */
export const DELEGATION_REASONS: Readonly<Record<string, ReasonEntry>> = {
  delegation_audience: {
    check: 'The aud of the assertion must be the issuer of this server alone.',
    mend: 'Use the issuer exactly as the metadata of the server has it.',
  },
  delegation_claims: {
    check:
      'The claims of the assertion and their types: iss, sub, aud, parent_jti, prev, jkt, scope, resource, workflow_step, execution_id, iat, exp, jti.',
    mend: 'Make it with remit delegate or with the shim, which write every claim as it must be.',
    command: 'remit delegate --help',
  },
  delegation_scope_malformed: {
    check: 'The scope of the assertion must be scope-tokens with single spaces (RFC 6749 section 3.3).',
    mend: 'Write each scope once, with one space between.',
    command: 'remit delegate --help',
  },
  delegation_without_proof: {
    check: 'A delegation is presented with a DPoP proof by the key that it names; the request has no proof.',
    mend: 'Send a proof signed with the key whose thumbprint is in jkt.',
  },
  delegation_parent_unknown: {
    check: 'The parent_jti, and each token above it, was looked up in the record; one is unknown or of another client.',
    mend: 'Delegate from a token of this server while it is live, which is minutes; delegator and delegate have one client.',
  },
  delegation_parent_not_agent: {
    check: 'The parent token is a token of a client and not of an agent.',
    mend: 'Delegate from an intent token: the root of a chain is an agent.',
  },
  delegation_iss: {
    check: 'The iss of the assertion was compared with the agent of the parent token.',
    mend: SIGN_NEW,
    command: 'remit delegate --help',
  },
  delegation_sub: {
    check: 'The sub of the assertion was compared with the agent that presents it.',
    mend: 'Let the agent ask that the task was given to.',
    command: SHOW_AGENT,
  },
  delegation_signer: {
    check: 'The key that signed the assertion was compared with the one that the parent token is bound to.',
    mend: 'Sign with the key of the proof by which the parent token was minted; a token without one delegates nothing.',
  },
  delegation_jkt: {
    check: 'The jkt of the assertion was compared with the key of the proof.',
    mend: 'Let the delegator name the key that the delegate signs its proofs with.',
  },
  delegation_prev: {
    check: 'The prev of the assertion was compared with the assertion under which the parent token was minted.',
    mend: 'Put the base64url SHA-256 of that assertion in, and leave prev out where the parent had none.',
  },
  delegation_execution: {
    check: 'The execution_id of the assertion was compared with that of the parent token.',
    mend: 'Write the one of the parent token; leave it out where that has none.',
  },
  delegation_twin: {
    check: 'The delegator has already signed another assertion with the same jti.',
    mend: 'Give each assertion its own random jti. If nobody made a mistake, somebody changed a signature.',
  },
  delegation_expired: {
    check: 'The exp of the assertion has passed, which ends the delegation.',
    mend: 'Let the delegator sign a new assertion, with a later exp.',
  },
  delegation_late: {
    check: 'An assertion is presented for the first time within 120 seconds of its iat (see docs/delegation.md).',
    mend: 'Ask for the first token soon after the assertion was signed; then it serves until its exp.',
  },
  delegation_parent_not_live: {
    check: 'The parent token was compared with the iat of the assertion: it must have been live then.',
    mend: 'Let the delegator get a new token first, and sign by its jti.',
  },
  delegation_too_long: {
    check:
      'The exp of the assertion was compared with that of the one above it, else the end of the execution, else iat + 3600.',
    mend: 'Sign with an earlier exp.',
  },
  delegation_too_deep: {
    check: 'The chain would have more than 5 hops.',
    mend: 'Delegate over fewer agents.',
  },
  delegation_loop: {
    check: 'The chain would name an agent twice.',
    mend: 'Give the task to an agent that is not above in the chain.',
  },
  delegation_step: {
    check: 'The assertion is for another step than that of the parent token, and there is no execution.',
    mend: 'Hand over to another step within an execution only (workflow_state "recorded").',
    command: 'remit client show {client_id}',
  },
  delegation_scope: {
    check: 'Within one step, resource and scope of the assertion must lie within those of the parent token.',
    mend: 'Delegate only what the parent token has, or hand over to the step that has it.',
  },
  delegation_revoked: {
    check: 'The delegation itself was revoked.',
    mend: BEGIN_ANEW,
    command: 'remit audit search --action revocation.create',
  },
  delegation_above_revoked: {
    check: 'A token above the delegation, or what it rests on, was revoked: agent, version, key, execution, initiator.',
    mend: BEGIN_ANEW,
    command: 'remit revocation list',
  },
  delegation_above_suspended: {
    check: 'An agent above in the chain is suspended.',
    mend: 'Wait until it is resumed, or begin the chain anew without it.',
    command: SHOW_AGENT,
  },
  max_children: {
    check: 'The delegations from the parent token were counted against max_children of the execution or the client.',
    mend: 'Let the delegator get another token, or have the client limits raised.',
    command: 'remit client show {client_id}',
  },
  proofs_without_agent: {
    check: 'At an API: proofs are asked of a token that is of no agent, or bound to no key.',
    mend: 'Send an intent token that was minted with a DPoP proof.',
  },
  proofs_too_many: { check: 'At an API: a token shows at most 3 assertions.', mend: NOT_OURS },
  proofs_prev: {
    check: 'At an API: each assertion must name the one before it in prev, and the first none.',
    mend: NOT_OURS,
  },
  proofs_iss: { check: 'At an API: the iss of each assertion is the sub of the one before.', mend: NOT_OURS },
  proofs_key: {
    check:
      'At an API: each assertion is signed by the key that the one before names; the last names that of the proof.',
    mend: NOT_OURS,
  },
  proofs_end_key: {
    check: 'At an API: the key of a token with proofs is registered for its agent, as agent_proof.key says.',
    mend: 'Let the agent get the token with a registered key, and its delegator name that key in jkt.',
  },
  proofs_end: { check: 'At an API: the sub of the last assertion is the agent of the token.', mend: NOT_OURS },
  proofs_outlive: {
    check: 'At an API: no assertion outlives the one before it, and the token outlives none.',
    mend: NOT_OURS,
  },
  proofs_stale: {
    check: 'At an API: an assertion of the chain has expired.',
    mend: 'Ask for a new token under a delegation that lives.',
  },
  proofs_execution: { check: 'At an API: all assertions are of the execution of the token.', mend: NOT_OURS },
  proofs_step: { check: 'At an API: the last assertion is for the step of the token.', mend: NOT_OURS },
  proofs_scope: {
    check: 'At an API: the token lies within the last assertion and within every other one of the same step.',
    mend: 'Where no assertion names its step, the API cannot see where one ended: let each delegator write workflow_step.',
  },
  proofs_agents: { check: 'At an API: all of a chain are agents of one client, each once.', mend: NOT_OURS },
  proofs_chain: {
    check: 'At an API: sub, act, delegation_chain and chain_commitment of the token are those of its assertions.',
    mend: NOT_OURS,
  },
}
