/**
 * What one route of an API demands of a token (protocol.md section 8). A rule that names a workflow, a step or an agent
 * names the client too: any client may call its own agents and workflows as it likes. Every rule that demands more than a
 * scope, a bound body or fresh revocations refuses `state: asserted` and `key: none` unless it says otherwise.
 */
export type RouteRule = {
  /** Every one of them must be in the token's scope, and in the proof's where it carries one. */
  readonly scope?: readonly string[]
  readonly client_id?: string | readonly string[]
  /** Bare `agent_id` of the executing agent. */
  readonly agent_id?: string | readonly string[]
  readonly workflow_id?: string | readonly string[]
  readonly workflow_step?: string | readonly string[]
  /** Takes tokens whose steps or chain are the caller's word. */
  readonly allowAsserted?: boolean
  /** Takes tokens for which no possession was proven at the mint. */
  readonly allowKeyless?: boolean
  /** The proof must name the body (`bd`). */
  readonly boundBody?: boolean
  /**
   * The body is the JSON whose JCS digest somebody approved: compared with `intent.approval.arguments_digest`. Needs
   * `client_id` and `workflow_step`: an approval is of one step of one client.
   */
  readonly approval?: 'json-body'
  /** The chain must be proven by signatures of its own agents, anchored in a registered key. */
  readonly proofs?: boolean
  /** Seconds that knowledge of revocations may be old here: no more than at the verifier. */
  readonly maxStale?: number
}
