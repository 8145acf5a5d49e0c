import type { BaseMessage } from '@langchain/core/messages'
import type { ClientTool, ServerTool } from '@langchain/core/tools'
import { isLangChainTool } from '@langchain/core/utils/function_calling'
import { toJsonSchema } from '@langchain/core/utils/json_schema'
import { createMiddleware } from 'langchain'
import type { ChecksumTool } from '../../protocol/checksum.ts'
import type { Agent } from '../agent.ts'
import { checksumTool, type InUse } from '../in-use.ts'
import { inStep, ownMember, stepOf, type ToolSteps } from './tool-steps.ts'

/**
 * Middleware of one agent for `createAgent` of langchain 1: each tool runs in its step, and what the model is given is
 * what the agent's checksum is of. It stands last, so that no other changes prompt or tools after it has seen them.
 */
export function remitMiddleware(agent: Agent, inUse: InUse, steps?: ToolSteps) {
  return createMiddleware({
    name: 'Remit',
    wrapModelCall(request, handler) {
      const told = [request.systemMessage, ...request.messages.filter(message => message.type === 'system')]
      const prompt = told.map(textOf).filter(text => text !== '')
      inUse.given(agent, prompt.join('\n\n'), langchainTools(request.tools))
      return handler(request)
    },
    async wrapToolCall(request, handler) {
      const { name, args: input } = request.toolCall
      const { context } = request.runtime
      const step = stepOf(ownMember(steps, name), { input, context })
      return await inStep(agent, step, async () => await handler(request))
    },
  })
}

/** Tools as the checksum covers them, to declare and to register them; one of a provider by all it says of it. */
export function langchainTools(tools: readonly (ClientTool | ServerTool)[]): readonly ChecksumTool[] {
  return tools.map(tool =>
    isLangChainTool(tool)
      ? checksumTool(tool.name, tool.description, toJsonSchema(tool.schema))
      : checksumTool(String(tool.name ?? ('type' in tool && tool.type)), '', tool),
  )
}

/** What is no text in it counts too: an image can tell a model as much as a sentence. */
function textOf({ content, text }: BaseMessage): string {
  const isText = typeof content === 'string' || content.every(block => block.type === 'text')
  return isText ? text : JSON.stringify(content)
}
