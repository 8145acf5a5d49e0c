import type { FunctionTool, Handoff, Model, ModelRequest, ToolInputParameters } from '@openai/agents'
import type { ChecksumTool } from '../../protocol/checksum.ts'
import type { Agent, DelegationOptions } from '../agent.ts'
import { checksumTool, type InUse } from '../in-use.ts'
import { handOver, inTask } from './handed-over.ts'
import { readArguments, stepOf, type ToolStep } from './tool-steps.ts'

/** The model of one agent: what it is given is what the agent's checksum is of. */
export function remitModel(agent: Agent, inUse: InUse, model: Model): Model {
  function given(request: ModelRequest): ModelRequest {
    const { systemInstructions = '', prompt, tools, handoffs } = request
    const told = prompt === undefined ? systemInstructions : JSON.stringify([systemInstructions, prompt])
    inUse.given(agent, told, openaiTools(tools, handoffs))
    return request
  }
  return {
    getResponse: async request => await model.getResponse(given(request)),
    getStreamedResponse: request => model.getStreamedResponse(given(request)),
    getRetryAdvice: async advice => await model.getRetryAdvice?.(advice),
  }
}

/** The tool, which runs in its step, and in the task that its agent was handed in this run. */
export function remitTool<C, P extends ToolInputParameters, R>(
  agent: Agent,
  tool: FunctionTool<C, P, R>,
  step?: ToolStep,
): FunctionTool<C, P, R> {
  const invoke: typeof tool.invoke = async (context, text, details) => {
    const named = stepOf(step, { input: readArguments(text), context: context.context })
    return await inTask(context, agent, named, () => tool.invoke(context, text, details))
  }
  return { ...tool, invoke }
}

/** The handoff, by which its agent delegates: the tools of the one it names then run under a signed chain. */
export function remitHandoff(from: Agent, to: Agent, handoff: Handoff, options: DelegationOptions): Handoff {
  return handoff.clone({
    async onInvokeHandoff(context, args) {
      const next = await handoff.onInvokeHandoff(context, args)
      await handOver(context, from, to, options)
      return next
    },
  })
}

/** Tools and handoffs as the checksum covers them, to declare and to register them: a model is told of both. */
export function openaiTools(
  tools: readonly (ModelRequest['tools'][number] | FunctionTool)[],
  handoffs: readonly Pick<Handoff, 'toolName' | 'toolDescription' | 'inputJsonSchema'>[] = [],
): readonly ChecksumTool[] {
  const told = tools.map(tool =>
    tool.type === 'function'
      ? checksumTool(tool.name, tool.description, tool.parameters)
      : checksumTool(tool.name, tool.type, tool),
  )
  return [...told, ...handoffs.map(to => checksumTool(to.toolName, to.toolDescription, to.inputJsonSchema))]
}
