import { asSchema, type LanguageModelMiddleware, type ToolSet } from 'ai'
import type { ChecksumTool } from '../../protocol/checksum.ts'
import type { Agent } from '../agent.ts'
import { checksumTool, type InUse } from '../in-use.ts'
import { inStep, lastPart, ownMember, stepOf, type ToolSteps } from './tool-steps.ts'

/**
 * Middleware of one agent for `wrapLanguageModel` of ai 6: what the model is given is what the agent's checksum is of. It
 * stands last, next to the model, so that no other changes prompt or tools after it has seen them.
 */
export function remitMiddleware(agent: Agent, inUse: InUse): LanguageModelMiddleware {
  return {
    specificationVersion: 'v3',
    async transformParams({ params }) {
      const told = params.prompt.flatMap(message => (message.role === 'system' ? [message.content] : []))
      const tools = (params.tools ?? []).map(tool =>
        tool.type === 'function'
          ? checksumTool(tool.name, tool.description, tool.inputSchema)
          : checksumTool(tool.name, tool.id, tool.args),
      )
      inUse.given(agent, told.join('\n\n'), tools)
      return params
    },
  }
}

/** The tools, each of which runs in its step; of one that answers in parts the last part is its answer. */
export function withAgent<T extends ToolSet>(agent: Agent, tools: T, steps?: ToolSteps): T {
  const guarded = Object.entries<ToolSet[string]>(tools).flatMap(([name, tool]) => {
    const { execute } = tool
    if (execute === undefined) return []
    const inItsStep: typeof execute = (input, options) =>
      inStep(agent, stepOf(ownMember(steps, name), { input, context: options.experimental_context }), async () =>
        lastPart(await execute.call(tool, input, options)),
      )
    return [[name, { ...tool, execute: inItsStep }]]
  })
  const all = { ...tools }
  Object.assign(all, Object.fromEntries(guarded))
  return all
}

/** Tools as the checksum covers them, to declare and to register them. */
export async function aiTools(tools: ToolSet): Promise<readonly ChecksumTool[]> {
  const told = Object.entries(tools).map(async ([name, tool]) =>
    tool.type === 'provider'
      ? checksumTool(name, tool.id, tool.args)
      : checksumTool(name, tool.description, await asSchema(tool.inputSchema).jsonSchema),
  )
  return await Promise.all(told)
}
