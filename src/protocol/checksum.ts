import { equalConstantTime, sha256Hex } from './digest.ts'
import { OAuthError } from './errors.ts'
import { canonicalJson } from './jcs.ts'
import type { JsonObject } from './json.ts'

/** What a checksum covers, as sent: absent members stand for their defaults. */
export type ChecksumComponents = {
  agent_id: string
  prompt_template: string
  tools: readonly ChecksumTool[]
  configuration?: JsonObject
}
export type ChecksumTool = { name: string; description?: string; parameters?: JsonObject; source_digest?: string }

const COMPONENT_MEMBERS: ReadonlySet<string> = new Set(['agent_id', 'prompt_template', 'tools', 'configuration'])
const TOOL_MEMBERS: ReadonlySet<string> = new Set(['name', 'description', 'parameters', 'source_digest'])
const CHECKSUM = /^(?:sha256:)?([0-9a-f]{64})$/

/**
 * The text that profile `jcs` hashes (protocol.md section 4): RFC 8785, every code point as given, tools in the given
 * order. A member that the hash would not cover is refused. Throws `invalid_request`.
 */
export function canonicalComponents(components: ChecksumComponents): string {
  refuseOtherMembers(components, COMPONENT_MEMBERS)
  const { agent_id, prompt_template, tools, configuration = {} } = components
  if (new Set(tools.map(tool => tool.name)).size !== tools.length) {
    throw refusal('Two tools have one name.', 'duplicate_tool_name')
  }
  return canonicalJson({ agent_id, prompt_template, tools: tools.map(canonicalTool), configuration })
}

/** SHA-256 of `canonicalComponents` in bare lowercase hex. Throws `invalid_request`. */
export function agentChecksum(components: ChecksumComponents): string {
  return sha256Hex(canonicalComponents(components))
}

/** Reads `sha256:<64 lowercase hex>` or bare hex into bare hex (protocol.md section 4). Throws `invalid_request`. */
export function parseChecksum(text: string): string {
  const hex = CHECKSUM.exec(text)?.[1]
  if (hex === undefined) throw refusal('The checksum must be sha256 and 64 lowercase hex digits.', 'malformed_checksum')
  return hex
}

/** Compares two checksums in bare hex in constant time. */
export function checksumsEqual(a: string, b: string): boolean {
  return equalConstantTime(a, b)
}

function canonicalTool(tool: ChecksumTool): JsonObject {
  refuseOtherMembers(tool, TOOL_MEMBERS)
  const { name, description = '', parameters = {}, source_digest } = tool
  return { name, description, parameters, ...(source_digest !== undefined && { source_digest }) }
}

function refuseOtherMembers(value: object, known: ReadonlySet<string>): void {
  if (Object.keys(value).every(member => known.has(member))) return
  throw refusal('The agent components have a member that the checksum does not cover.', 'unknown_component_member')
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
