import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { z } from 'zod'
import type { Defer } from './remit-server.ts'

/** A published MCP server, and the tools it offers by its own `tools/list`. */
export type ToolList = { readonly server: string; readonly version: string; readonly tools: readonly McpTool[] }

const jsonObjectSchema = z.record(z.string(), z.json())
const toolSchema = z.object({
  name: z.string(),
  description: z.string().optional(),
  inputSchema: jsonObjectSchema,
  title: z.string().optional(),
  annotations: jsonObjectSchema.optional(),
  outputSchema: jsonObjectSchema.optional(),
})
export type McpTool = z.output<typeof toolSchema>

const packageSchema = z.object({ version: z.string(), bin: z.record(z.string(), z.string()) })

/** Starts one of the MCP reference servers over stdio, asks what tools it has, and stops it again. */
export async function readTools(name: string, args: readonly string[], defer: Defer): Promise<ToolList> {
  const server = `@modelcontextprotocol/${name}`
  const { version, script } = locate(server, `mcp-${name}`)
  const transport = new StdioClientTransport({ command: process.execPath, args: [script, ...args], stderr: 'ignore' })
  const client = new Client({ name: 'remit-demo', version: '1.0.0' })
  defer(() => client.close())
  try {
    await client.connect(transport)
    const tools: McpTool[] = []
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await client.listTools(cursor === undefined ? {} : { cursor })
      tools.push(...z.array(toolSchema).parse(page.tools))
      cursor = page.nextCursor
    }
    return { server, version, tools }
  } finally {
    await client.close()
  }
}

/** Where a published MCP server is installed, and what its command runs. */
export function locate(server: string, command: string): { version: string; script: string } {
  const manifest = createRequire(import.meta.url).resolve(`${server}/package.json`)
  const { version, bin } = packageSchema.parse(JSON.parse(readFileSync(manifest, 'utf8')))
  const script = bin[command]
  if (script === undefined) throw new Error(`${server} has no command ${command}.`)
  return { version, script: join(dirname(manifest), script) }
}
