import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { locate } from '../mcp-tools.ts'
import type { Defer } from '../remit-server.ts'

/** The published MCP server for files, as a process of its own that may use this one folder; it speaks over stdio. */
export async function startFileServer(folder: string, defer: Defer): Promise<Client> {
  const { script } = locate('@modelcontextprotocol/server-filesystem', 'mcp-server-filesystem')
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [script, folder],
    cwd: folder,
    stderr: 'ignore',
  })
  const client = new Client({ name: 'remit-demo-gateway', version: '1.0.0' })
  defer(() => client.close())
  await client.connect(transport)
  return client
}
