import { z } from 'zod'
import { agentChecksum, type ChecksumTool } from '../../protocol/checksum.ts'
import type { JsonObject } from '../../protocol/json.ts'
import { checksumTool, jsonObject, sorted } from '../in-use.ts'
import { observed } from '../observed.ts'

const members = z.record(z.string(), z.unknown())
const annotationSchema = z.object({ title: z.string(), outputSchema: members, annotations: members }).partial()
const toolSchema = z
  .object({ name: z.string(), description: z.string().optional(), inputSchema: members })
  .extend(annotationSchema.shape)
/** A tool as an MCP server lists it; its other members are no part of what a model is told. */
export type McpTool = z.infer<typeof toolSchema>

/** The tools of one MCP server: as the agent is registered with them, until the server serves others. */
export type McpTools = {
  /** For `createAgent`, as is `configuration`: what is told of tools beside name, description and parameters. */
  readonly tools: () => readonly ChecksumTool[]
  readonly configuration: () => JsonObject
  /** Takes note of a page served after `cursor`, null where that is not known; answers whether something is other. */
  readonly served: (page: unknown, cursor: string | null | undefined, next: string | undefined) => boolean
}

/** Compares what an MCP server serves with what is registered: one tool that changes makes another agent. */
export function mcpTools(registered: readonly McpTool[]): McpTools {
  const used = observed(registered, digestOf)
  const expected = new Set(registered.map(tool => digestOf([tool])))
  const unfinished = new Map<string, readonly McpTool[]>()
  return {
    tools: () => componentsOf(used.read()).tools,
    configuration: () => componentsOf(used.read()).configuration,
    served(page, cursor, next) {
      try {
        const read = z.array(toolSchema).parse(jsonObject({ page }).page)
        const before = cursor === undefined ? [] : unfinished.get(cursor ?? '')
        const listed = before && [...before, ...read]
        if (listed && next !== undefined && unfinished.size < 256) unfinished.set(next, listed)
        if (next === undefined) unfinished.clear()
        // Of a list that goes on, or whose beginning nobody saw, each tool must be one of the registered.
        const isWhole = listed !== undefined && next === undefined
        return (isWhole || read.some(tool => !expected.has(digestOf([tool])))) && used.see(listed ?? read)
      } catch {
        return used.see(undefined)
      }
    },
  }
}

function componentsOf(tools: readonly McpTool[]) {
  const told = tools.map(tool => [tool.name, jsonObject(annotationSchema.parse(tool))] as const)
  const annotated = told.filter(([, annotations]) => Object.keys(annotations).length > 0)
  const configuration: JsonObject = annotated.length === 0 ? {} : { tool_annotations: Object.fromEntries(annotated) }
  return {
    tools: sorted(tools.map(({ name, description, inputSchema }) => checksumTool(name, description, inputSchema))),
    configuration,
  }
}

const digestOf = (tools: readonly McpTool[]) =>
  agentChecksum({ agent_id: '', prompt_template: '', ...componentsOf(tools) })
