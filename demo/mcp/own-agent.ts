import { mcpTools } from '../../src/shim/adapters/mcp-tools.ts'
import type { Agent } from '../../src/shim/agent.ts'
import { type InUse, inUse } from '../../src/shim/in-use.ts'
import { createAgent } from '../../src/shim/index.ts'
import type { KeyStore } from '../../src/shim/key-store.ts'
import type { Start } from './messages.ts'
import type { Stopwatch } from './stopwatch.ts'

/** The agent of a process, made by the shim, with a stopwatch around it and around its `fetch`. */
export type OwnAgent = {
  readonly agent: Agent
  /** What it is registered with of the MCP server, and what a model of it is given. */
  readonly served: ReturnType<typeof mcpTools>
  readonly used: InUse
  /** Sends calls of the MCP server to this origin, as a network may do: the agent does not see it. */
  readonly divert: (via: string | undefined) => void
  /** Settles when the MCP server has said that its tools are others: the shim asks for them before the next call. */
  readonly changed: Promise<void>
  /** Told so. */
  readonly toolsChanged: () => void
}

export function ownAgent(start: Start, keyStore: KeyStore, stopwatch: Stopwatch): OwnAgent {
  const { issuer, client_id, client_key, agent_id, prompt, resource, scope } = start
  const served = mcpTools(start.tools)
  const used = inUse({ prompt, tools: served.tools() })
  const change = Promise.withResolvers<void>()
  const { origin } = new URL(resource)
  let network = origin

  const agent = createAgent({
    ...{ issuer, agent_id, keyStore, prompt: used.prompt },
    client: { client_id, key: client_key },
    tools: start.by_model ? used.tools : served.tools,
    configuration: served.configuration,
    access: [{ resource, scope, bindBody: true }],
    fetch: stopwatch.watched(async (input, init) => {
      const url = input instanceof Request ? input.url : String(input)
      return await fetch(url.startsWith(resource) ? url.replace(origin, network) : input, init)
    }),
  })
  const measured: Agent = {
    ...agent,
    async fetch(...call) {
      const left = stopwatch.part('shim')
      return await agent.fetch(...call).finally(left)
    },
  }
  return {
    ...{ agent: measured, served, used, changed: change.promise, toolsChanged: change.resolve },
    divert(via) {
      network = via ?? origin
    },
  }
}
