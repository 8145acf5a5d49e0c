import { OAuthError } from '../../protocol/errors.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from '../../protocol/json.ts'

/** The messages of one request, and the JSON value that they stand in: what is judged is what the server gets. */
export type McpBody = { readonly value: JsonValue; readonly messages: readonly JsonObject[] }

const MAX_MESSAGES = 100
/** Arguments of tools are long: whole files, whole tables. */
const LIMITS = { maxDepth: 64, maxMembers: 100_000 }

/** JSON-RPC 2.0 messages, one or a batch. Throws `invalid_request`. */
export function readMessages(bytes: Uint8Array): McpBody {
  const value = parseStrictJson(bytes, LIMITS)
  const sent = Array.isArray(value) ? value : [value]
  if (sent.length === 0 || sent.length > MAX_MESSAGES) throw refusal()
  const messages = sent.filter(isJsonObject)
  if (messages.length < sent.length) throw refusal()
  return { value, messages }
}

/** Name and arguments of a `tools/call`; undefined for every other message. Throws `invalid_request`. */
export function calledTool(message: JsonObject): { readonly name: string; readonly args: JsonValue } | undefined {
  if (message.method !== 'tools/call') return undefined
  const { params } = message
  if (!isJsonObject(params) || typeof params.name !== 'string') throw refusal()
  return { name: params.name, args: params.arguments ?? {} }
}

function refusal(): OAuthError {
  return new OAuthError('invalid_request', 'The body is no JSON-RPC message.', { reason: 'mcp_message' })
}
