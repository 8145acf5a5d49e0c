import type { ChecksumTool } from '../protocol/checksum.ts'
import type { ClientCredential } from '../protocol/client-authentication.ts'
import type { JsonObject } from '../protocol/json.ts'
import type { KeyStore } from './key-store.ts'
import type { PromptTemplate } from './prompt-template.ts'

/** An API that the agent calls: the scope it asks for there. */
export type ProtectedApi = {
  /** The audience of its tokens, as the server has it registered. */
  readonly resource: string
  readonly scope: readonly string[]
  /** Where it is served; `resource` itself unless told. */
  readonly url?: string
  /** Every call names its body (`bd`), so that nobody on the way can swap it. */
  readonly bindBody?: boolean
}

export type AgentOptions = {
  /** The one server that this agent takes tokens from. */
  readonly issuer: string
  readonly client: ClientCredential
  readonly agent_id: string
  /** Everything the agent is made of, as it is in use: read anew for each mint. */
  readonly prompt: string | PromptTemplate | (() => string | PromptTemplate)
  readonly tools?: readonly ChecksumTool[] | (() => readonly ChecksumTool[] | Promise<readonly ChecksumTool[]>)
  readonly configuration?: JsonObject | (() => JsonObject)
  readonly access: readonly ProtectedApi[]
  /** Holds the agent's registered key. Without one a key lives in memory, vouched for by the client's own key. */
  readonly keyStore?: KeyStore
  readonly fetch?: typeof fetch
  readonly now?: () => Date
}
