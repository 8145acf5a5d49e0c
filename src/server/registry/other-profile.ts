import type { AgentComponents, ReferenceComponents } from '../../protocol/agent.ts'
import { referenceContent } from '../../protocol/checksum-reference.ts'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { canonicalJson } from '../../protocol/jcs.ts'

type Tool = AgentComponents['tools'][number] | ReferenceComponents['tools'][number]

/**
 * The digests of this content in both profiles, none where only one can say it: a tool with parameters has no form in
 * `reference`, one with a signature none in `jcs`. Versions keep the digest of their own profile, and so the same parts
 * sent by the other one are found all the same (attacks.md 84).
 */
export function contentInBothProfiles(components: AgentComponents | ReferenceComponents): readonly Buffer[] {
  const { prompt_template, tools, configuration } = components
  if (!tools.every(isPlain)) return []
  const plain = tools.map(({ name, description }) => ({ name, description }))
  // Written and read again: the other profile knows a number, this one perhaps the form in which it was sent.
  const numbers: unknown = JSON.parse(JSON.stringify(configuration))
  const withParameters = plain.map(tool => ({ ...tool, parameters: {} }))
  const reference = { agent_id: '', prompt_template, tools: plain, configuration }
  return [
    ...digestOf(() => referenceContent(reference)),
    ...digestOf(() => canonicalJson({ prompt_template, tools: withParameters, configuration: numbers })),
  ]
}

/** A tool that either profile can say. */
function isPlain(tool: Tool): boolean {
  if ('signature' in tool) return tool.signature === '' && typeof tool.source_code !== 'string'
  return tool.source_digest === undefined && Object.keys(tool.parameters).length === 0
}

/** None where the profile refuses the content: a number that it cannot keep. */
function digestOf(text: () => string): readonly Buffer[] {
  try {
    return [sha256(text())]
  } catch (error) {
    if (error instanceof OAuthError) return []
    throw error
  }
}
