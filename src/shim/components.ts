import type { ChecksumComponents } from '../protocol/checksum.ts'
import type { AgentOptions } from './agent-options.ts'

/** What an agent is made of as it is in use at this moment (protocol.md section 4): read anew each time. */
export async function readComponents(options: AgentOptions): Promise<ChecksumComponents> {
  const { agent_id, prompt, tools = [], configuration = {} } = options
  const inUse = typeof prompt === 'function' ? prompt() : prompt
  const configured = typeof configuration === 'function' ? configuration() : configuration
  const isTemplate = typeof inUse !== 'string'
  return {
    agent_id,
    prompt_template: isTemplate ? inUse.template : inUse,
    tools: typeof tools === 'function' ? await tools() : tools,
    configuration: isTemplate ? { ...configured, prompt_variables: inUse.variables } : configured,
  }
}
