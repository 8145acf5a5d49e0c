import { Client } from '@modelcontextprotocol/client'
import { mcpTransport } from '../../src/shim/adapters/mcp-client.ts'
import type { Call, Start } from './messages.ts'
import type { OwnAgent } from './own-agent.ts'
import type { Stopwatch } from './stopwatch.ts'

/** Calls tools one after the other, connected from the first of them on. @returns the texts that they answer */
export function toolCalls(
  start: Start,
  own: OwnAgent,
  stopwatch: Stopwatch,
): (calls: readonly Call[]) => Promise<string[]> {
  const { agent, served, used } = own
  const { agent_id, prompt, resource, tools, by_model } = start
  let connected: Promise<Client> | undefined

  async function connect(): Promise<Client> {
    // The newest protocol, in which a server tells its changes on a stream of their own.
    const versionNegotiation = { mode: 'auto' } as const
    const listChanged = { tools: { autoRefresh: false, onChanged: own.toolsChanged } }
    const client = new Client({ name: agent_id, version: '1.0.0' }, { versionNegotiation, listChanged })
    const done = stopwatch.begin('connects')
    await client.connect(mcpTransport(agent, client, new URL(resource), { served }))
    done()
    return client
  }

  return async calls => {
    connected ??= connect().catch((error: unknown) => {
      connected = undefined
      throw error
    })
    const client = await connected
    const texts: string[] = []
    const callTool = async ({ tool, arguments: args }: Call) => {
      const done = stopwatch.begin(tool)
      const { content } = await client.callTool({ name: tool, arguments: args })
      done()
      const text = content.map(block => (block.type === 'text' ? block.text : '')).join('')
      texts.push(text)
      return text
    }
    if (by_model) {
      // Only the process of such an agent needs the AI SDK.
      const { runModel } = await import('./model-agent.ts')
      await runModel({ agent, used, prompt, tools, calls, callTool })
    } else {
      for (const call of calls) await callTool(call)
    }
    return texts
  }
}
