import type { ReasonEntry } from '../error-catalogue.ts'

/** What a protected API refuses beside bad tokens and proofs (protocol.md section 8). */
export const VERIFIER_REASONS: Readonly<Record<string, ReasonEntry>> = {
  replay_cache_unavailable: {
    check: 'The store of used proofs of the API did not answer, or is full of proofs that could still be used.',
    mend: 'See why the database of the replay cache is out of reach; where memory is full, use the one in Postgres.',
  },
  api_nonce: {
    check: 'The API takes only proofs with one of its own nonces of the last minutes (RFC 9449 section 9).',
    mend: 'Repeat with the DPoP-Nonce of the answer in a new proof; seldom, this is the normal first try of a client.',
  },
  bd_missing: {
    check: 'The route demands that the proof names the body (bd), and it does not.',
    mend: 'Send the call with bindBody, or sign the proof with bd = base64url(SHA-256(body)).',
  },
  bd_unchecked: {
    check: 'The proof names a body (bd), and the API does not give the verifier the bytes that came.',
    mend: 'Give the verifier the request body as it came, before any parser.',
  },
  bd_mismatch: {
    check: 'The bd of the proof was compared with the SHA-256 of the body that came.',
    mend: 'Sign over the very bytes that are sent. If nobody mixed them up, somebody changed the call on its way.',
  },
  proof_scope: {
    check: 'The scope of the proof must lie within the scope of the token: it narrows one call.',
    mend: 'Name fewer scopes for the call, or get a token that has them.',
  },
  rule_client: {
    check: 'The client_id of the token was compared with the clients that the rule of the route names.',
    mend: 'Call as that client, or have the owner of the API add this one to the rule.',
  },
  rule_intent: {
    check: 'The route is for an agent or a step, and the token is not that of an agent.',
    mend: 'Have an agent call with its intent token.',
  },
  rule_agent: {
    check: 'The executing agent was compared with the agents that the rule of the route names.',
    mend: 'Have the agent call that is meant for it; it may hand the result on.',
  },
  rule_workflow: {
    check: 'The workflow of the token was compared with those that the rule of the route names.',
    mend: 'Ask for the token within that workflow. A resource with pairwise names sees others than were registered.',
    command: 'remit workflow list {client_id}',
  },
  rule_step: {
    check: 'The step of the token was compared with those that the rule of the route names.',
    mend: 'Call from the step that is meant for it.',
    command: 'remit workflow show {client_id} {workflow_id}',
  },
  rule_state: {
    check: 'Steps and chain of the token are the word of its client (state asserted), and the rule does not take that.',
    mend: 'Set the policy workflow_state of the client to "recorded", or have the rule say allowAsserted.',
    command: 'remit client show {client_id}',
  },
  rule_key: {
    check: 'No key was proven when the token was minted (agent_proof.key none), and the rule does not take that.',
    mend: 'Send a proof at the mint, or have the rule say allowKeyless.',
    command: 'remit client show {client_id}',
  },
  rule_scope: {
    check: 'Each scope of the rule was looked for in the scope of the token, or of the proof where that is narrower.',
    mend: 'Get a token with the scope that the WWW-Authenticate header names, and do not narrow the call below it.',
  },
  approval_no_digest: {
    check: 'The route compares the body with what was approved, and the token carries no digest of that.',
    mend: 'Ask for the step with its arguments, so that somebody can approve them.',
  },
  approval_unchecked: {
    check: 'The route compares the body with what was approved, and the API does not give the verifier the bytes.',
    mend: 'Give the verifier the request body as it came, before any parser.',
  },
  approval_no_json: {
    check: 'The body that should be what was approved is no JSON that every reader reads alike.',
    mend: 'Send the approved arguments in plain JSON: no member twice, no number of more digits than a double keeps.',
  },
  approval_other_body: {
    check: 'The digest in the token was compared with base64url SHA-256 over the JCS of the body.',
    mend: 'Send exactly what was approved. If nobody mixed it up, an agent tried to do something else.',
  },
  revocation_stale: {
    check:
      'The knowledge of revocations is older than this API, or this route, takes (maxStale), or dated in the future.',
    mend: 'See that the API reaches the revocation feed of the issuer, and that its asOf is in seconds; then repeat.',
  },
  proofs_unanchored: {
    check: 'The key at the root of the delegation chain is not registered for that agent (see docs/delegation.md).',
    mend: 'Begin the chain with a registered key of the root agent.',
    command: 'remit agent show {client_id} {agent_id}',
  },
}
