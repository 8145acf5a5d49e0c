import { dynamicTool, generateText, jsonSchema, stepCountIs, wrapLanguageModel } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { z } from 'zod'
import { remitMiddleware } from '../../src/shim/adapters/ai.ts'
import type { McpTool } from '../../src/shim/adapters/mcp-tools.ts'
import type { Agent } from '../../src/shim/agent.ts'
import type { InUse } from '../../src/shim/in-use.ts'
import type { Call } from './messages.ts'

type ModelAgent = {
  readonly agent: Agent
  readonly used: InUse
  readonly prompt: string
  readonly tools: readonly McpTool[]
  readonly calls: readonly Call[]
  readonly callTool: (call: Call) => Promise<string>
}

/**
 * An agent of the AI SDK. Its model is the package's own mock, which asks for these calls and then has its say; everything
 * around it is as with any model, and the middleware sees the prompt and the tools that the model is given.
 */
export async function runModel({ agent, used, prompt, tools, calls, callTool }: ModelAgent): Promise<void> {
  const usage = {
    inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 0, text: 0, reasoning: 0 },
  }
  const asked = calls.map(({ tool, arguments: args }, index) => ({
    type: 'tool-call' as const,
    toolCallId: `call-${index}`,
    toolName: tool,
    input: JSON.stringify(args),
  }))
  const model = new MockLanguageModelV3({
    doGenerate: [
      { content: asked, finishReason: { unified: 'tool-calls', raw: undefined }, usage, warnings: [] },
      {
        content: [{ type: 'text', text: 'It is what was planned.' }],
        ...{ finishReason: { unified: 'stop', raw: undefined }, usage, warnings: [] },
      },
    ],
  })
  const offered = tools.map(({ name, description = '', inputSchema }) => {
    const execute = async (args: unknown) =>
      await callTool({ tool: name, arguments: z.record(z.string(), z.json()).parse(args) })
    return [name, dynamicTool({ description, inputSchema: jsonSchema(inputSchema), execute })] as const
  })
  const { steps } = await generateText({
    model: wrapLanguageModel({ model, middleware: remitMiddleware(agent, used) }),
    system: prompt,
    prompt: 'Is it what was planned?',
    tools: Object.fromEntries(offered),
    stopWhen: stepCountIs(2),
  })
  const [failed] = steps.flatMap(({ content }) => content.filter(part => part.type === 'tool-error'))
  if (failed) throw failed.error
}
