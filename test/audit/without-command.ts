/** Reasons that no command mends or begins to mend, and why that is so. */
type Group = { readonly why: string; readonly reasons: readonly string[] }

export const WITHOUT_COMMAND: readonly Group[] = [
  {
    why: "the caller's program, or a proxy before it, must send another HTTP request",
    reasons: words(`request_target request_target_nul host_header authorization_header content_type_header dpop_header
      request_schema body_not_object http_400 http_404 http_412 http_413 http_414 http_415 http_416 http_431
      method_not_allowed not_found invalid_utf8 form_nul forbidden_parameter malformed_percent_encoding
      repeated_parameter too_many_parameters json_bom json_depth json_duplicate_member json_forbidden_member
      json_lone_surrogate json_malformed json_members json_not_canonical json_nul json_number mcp_message body_encoded
      body_charset body_no_json_type body_broken_off idempotency_key_reused forged_cursor`),
  },
  {
    why: 'the program that signs must sign something else, or by a clock that is right',
    reasons: words(`dpop_alg dpop_ath dpop_bd dpop_exp dpop_htm dpop_iat dpop_jti dpop_nbf dpop_nonce dpop_scope
      dpop_nonce_not_current agent_key_for_client malformed_jws jws_alg jws_embedded_jwk jws_header_refused jws_kid
      jws_typ exp_missing exp_passed iat_future nbf_future lifetime_too_long time_not_integer iat_before_epoch
      assertion_subject assertion_audience assertion_jti malformed_jwk malformed_jwks malformed_pem jwks_kid
      repeated_key no_key api_nonce bd_missing bd_mismatch proof_scope`),
  },
  {
    why: "the caller's program must ask for something else, or in another form",
    reasons: words(`two_auth_methods other_client_id unknown_auth_scheme malformed_basic bearer_not_accepted
      bound_client_token assertion_type unsupported_grant_type malformed_parameter malformed_scope several_resources
      subject_name shim_malformed subject_token_type subject_token_event subject_token_unproven token_too_large
      half_workflow_request malformed_details details_without_agent steps_without_workflow chain_loop chain_too_long
      arguments_too_large arguments_digest_mismatch chain_not_recorded subject_token_without_workflow
      subject_token_without_delegation subject_token_own actor_token_sent agent_parameter_without_agent
      malformed_checksum own_resource too_many_reports`),
  },
  {
    why: 'the file that is registered must be changed, and only who wrote it knows how',
    reasons: words(`step_count too_many_dependencies duplicate_step duplicate_dependency unknown_dependency
      dependency_cycle gate_waits_for_step duplicate_tool_name claimed_checksum_mismatch batch_refused duplicate_in_batch`),
  },
  {
    why: 'the delegator must sign another assertion, or another agent must be given the task',
    reasons: words(`delegation_audience delegation_without_proof delegation_parent_unknown delegation_parent_not_agent
      delegation_signer delegation_jkt delegation_prev delegation_execution delegation_twin delegation_expired
      delegation_late delegation_parent_not_live delegation_too_long delegation_too_deep delegation_loop
      delegation_scope delegation_of_other_step delegation_of_other_workflow`),
  },
  {
    why: 'the API is told by its caller, who needs another token or another call',
    reasons: words(`token_before_epoch token_missing token_malformed token_kid token_claims token_profile token_aud
      token_act_depth token_not_bound bound_token_as_bearer proof_missing not_a_client_token rule_client rule_intent
      rule_agent rule_scope approval_no_digest approval_no_json two_credentials`),
  },
  {
    why: 'an API shows a chain that this server would not have issued: a bug, or a forgery that failed',
    reasons:
      words(`proofs_without_agent proofs_too_many proofs_prev proofs_iss proofs_key proofs_end_key proofs_end proofs_outlive
      proofs_stale proofs_execution proofs_step proofs_scope proofs_agents proofs_chain`),
  },
  {
    why: 'who runs the API, or wrote it, must set it up otherwise',
    reasons: words(`jwks_unavailable issuer_url token_iss replay_cache_unavailable bd_unchecked approval_unchecked
      revocation_stale rule_missing tool_without_rule body_too_large`),
  },
  { why: 'the foreign issuer must write the claim', reasons: words('iat_missing') },
  { why: 'the same request is repeated, by itself', reasons: words('stopping ended_meanwhile registration_id_taken') },
  {
    why: 'who runs this server adds nodes, names its proxy, or reports what its log says',
    reasons: words('server_error too_busy address_rate'),
  },
  {
    why: 'only judgement helps: a mistake, or somebody has copied, changed or forged something',
    reasons: words(`dpop_replayed proof_replayed proof_by_another_key approval_other_body console_cookie
      console_header console_site`),
  },
]

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
