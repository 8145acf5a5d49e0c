import { agentChecksum, type ChecksumTool } from '../protocol/checksum.ts'
import { isJsonObject, type JsonObject, parseStrictJsonText } from '../protocol/json.ts'
import type { Agent } from './agent.ts'
import { observed } from './observed.ts'
import type { PromptTemplate } from './prompt-template.ts'

type Given = { readonly prompt: string | PromptTemplate; readonly tools: readonly ChecksumTool[] }

/** Prompt and tools of an agent whose model is called by a framework: what the model is really given is hashed. */
export type InUse = {
  /** For `createAgent`, as are `tools`. */
  readonly prompt: () => string | PromptTemplate
  readonly tools: () => readonly ChecksumTool[]
  /** Called by an adapter before each call of the model, with what it is about to be given. */
  readonly given: (agent: Agent, prompt: string, tools: readonly ChecksumTool[]) => void
}

/** Begins with what the agent is registered with; tools in any order. Throws `invalid_request` for two of one name. */
export function inUse(declared: Given): InUse {
  const { prompt } = declared
  const used = observed({ prompt, tools: sorted(declared.tools) }, digestOf)
  return {
    prompt: () => used.read().prompt,
    tools: () => used.read().tools,
    given(agent, text, tools) {
      const isRendered = typeof prompt !== 'string' && prompt.rendered(text)
      if (used.see({ prompt: isRendered ? prompt : text, tools: sorted(tools) })) agent.changed()
    },
  }
}

/** A tool as the checksum covers it (protocol.md section 4), from what a framework tells a model of it. */
export function checksumTool(name: string, description: string | undefined, parameters: unknown): ChecksumTool {
  return { name, description: description ?? '', parameters: jsonObject(parameters) }
}

/** A copy as plain JSON; what is no object is the empty one. */
export function jsonObject(value: unknown): JsonObject {
  const copy = parseStrictJsonText(JSON.stringify(value ?? {}))
  return isJsonObject(copy) ? copy : {}
}

/** By name, in UTF-16 order: frameworks keep no order of their own (protocol.md section 4). */
export function sorted(tools: readonly ChecksumTool[]): readonly ChecksumTool[] {
  return tools.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

function digestOf({ prompt, tools }: Given): string {
  const isTemplate = typeof prompt !== 'string'
  return agentChecksum({
    agent_id: '',
    prompt_template: isTemplate ? prompt.template : prompt,
    tools,
    configuration: isTemplate ? { prompt_variables: prompt.variables } : {},
  })
}
