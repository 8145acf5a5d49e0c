import { exportJWK, generateKeyPair } from 'jose'
import { agentChecksum, type ChecksumTool } from '../src/protocol/checksum.ts'
import type { JsonObject } from '../src/protocol/json.ts'
import { importPublicJwk } from '../src/protocol/jwk.ts'
import type { HolderKey } from '../src/protocol/sign.ts'
import type { McpTool, ToolList } from './mcp-tools.ts'

/** What an agent is made of: the members that its checksum covers, profile `jcs`. */
export type Components = {
  readonly agent_id: string
  readonly prompt_template: string
  readonly tools: readonly ChecksumTool[]
  readonly configuration: JsonObject
}

/** One agent as its own process would hold it: what it is, the hash of that, and a key that never leaves it. */
export type Agent = {
  readonly components: Components
  /** Bare lowercase hex, over the components as they are in this process. */
  readonly checksum: string
  readonly key: HolderKey
  readonly source: ToolList
}

/** Makes an agent out of a prompt and the tools that an MCP server really offers, with a fresh P-256 key. */
export async function makeAgent(agent_id: string, prompt_template: string, source: ToolList): Promise<Agent> {
  const components = { agent_id, prompt_template, ...describeTools(source.tools) }
  return { components, checksum: agentChecksum(components), key: await generateKey(), source }
}

/** A key pair of P-256; the private half cannot be exported. */
export async function generateKey(): Promise<HolderKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const { jwk } = await importPublicJwk(await exportJWK(publicKey))
  return { alg: 'ES256', privateKey, publicJwk: jwk }
}

/**
 * MCP tools as the checksum covers them: sorted by name, `parameters` is the `inputSchema`. What MCP says beyond that
 * goes into the configuration, so that a change of it shows, too.
 */
function describeTools(offered: readonly McpTool[]): Pick<Components, 'tools' | 'configuration'> {
  const sorted = [...offered].sort((a, b) => (a.name < b.name ? -1 : 1))
  const tools = sorted.map(({ name, description = '', inputSchema }) => ({
    name,
    description,
    parameters: inputSchema,
  }))
  const tool_annotations: JsonObject = {}
  for (const { name, annotations, title, outputSchema } of sorted) {
    tool_annotations[name] = {
      ...(annotations && { annotations }),
      ...(title !== undefined && { title }),
      ...(outputSchema && { outputSchema }),
    }
  }
  return { tools, configuration: { tool_annotations } }
}
