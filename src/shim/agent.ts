import type { ChecksumComponents } from '../protocol/checksum.ts'
import type { JsonObject } from '../protocol/json.ts'
import type { PublicJwk } from '../protocol/jwk.ts'
import type { Execution } from './execution.ts'

/** What one call asks for beside its request. */
export type CallOptions = {
  /** Narrower than the token's, for this one call. */
  readonly scope?: readonly string[]
  readonly bindBody?: boolean
}

/** A workflow step, or a task that was handed over, within which calls are made. */
export type StepOptions = {
  readonly workflow_id?: string
  readonly workflow_step?: string
  /** The run that the step belongs to; a new one where none is given and the step is an entry of its workflow. */
  readonly execution?: Execution
  /** What is asked for in this step, of whichever API is called; unless told what was handed over, or the `scope` of the API. */
  readonly scope?: readonly string[]
  /** The API whose token enters the step before `work` begins; needed where the agent has several. */
  readonly resource?: string
  /** What the step is about to be done with: what somebody approves. */
  readonly arguments?: JsonObject
  /** A trusted issuer's token of the user whose intent this is. */
  readonly subject_token?: string
  readonly subject_token_type?: string
  /** A task that another agent handed over to this one. */
  readonly handoff?: Handoff
  /** Seconds to wait for somebody's approval, asked for anew every few seconds; 0 unless told: refused at once. */
  readonly approvalWait?: number
}

/** Who may be handed a task: a name and a key, both public. */
export type AgentIdentity = { readonly sub: string; readonly jkt: string }

/** An agent's own identity, with the public key to register. */
export type OwnIdentity = AgentIdentity & { readonly jwk: PublicJwk }

/** A signed task, plain JSON, good for one delegate: for an agent of this process or of another one. */
export type Handoff = {
  readonly delegation_assertion: string
  readonly workflow_id?: string
  readonly workflow_step?: string
  readonly execution_id?: string
}

export type DelegationOptions = {
  readonly resource: string
  readonly scope: readonly string[]
  /** The step that the delegate is to work in; the delegator's own unless told. */
  readonly workflow_step?: string
  /** Seconds; 600 unless told, never longer than the delegation above. */
  readonly expiresIn?: number
}

export type Agent = {
  readonly agent_id: string
  /** Its subject name. */
  readonly sub: string
  /**
   * `fetch` with this agent's token and a proof for each call to one of its APIs; other addresses are fetched as they
   * are. Throws `OAuthError` for what the server refuses to mint, and inside another agent's `run`.
   */
  readonly fetch: (input: string | URL | Request, init?: RequestInit, call?: CallOptions) => Promise<Response>
  /** Does work within a step: calls that `work` makes, however deep, use tokens of this step. */
  readonly run: <T>(step: StepOptions, work: (execution: Execution | undefined) => Promise<T>) => Promise<T>
  /**
   * The two headers that `fetch` would send, for another HTTP client: `authorization` and `dpop`, good for one call.
   * `body` are the bytes that the proof is to name, where the call or its API says `bindBody`.
   */
  readonly headers: (
    method: string,
    url: string,
    call?: CallOptions & { readonly body?: Uint8Array; readonly nonce?: string },
  ) => Promise<Record<string, string>>
  /** Tells that an API refused such headers with `invalid_token`: their token is not used again. */
  readonly refused: (headers: Readonly<Record<string, string>>) => void
  /** Hands a task to another agent, signed with the key of this agent's own token. */
  readonly delegate: (to: AgentIdentity, options: DelegationOptions) => Promise<Handoff>
  readonly identity: () => Promise<OwnIdentity>
  /** What the agent is made of right now, as it is registered and hashed. */
  readonly components: () => Promise<ChecksumComponents>
  /** Tools, prompt or configuration changed: no call that asks for a token from now on, or waits for one, gets one of before. */
  readonly changed: () => void
}
