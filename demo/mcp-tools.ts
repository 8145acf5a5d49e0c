import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

const require = createRequire(import.meta.url)
export async function x() {
  for (const [s, args] of [['everything', []], ['filesystem', ['/tmp']], ['memory', []]] as const) {
    const t0 = Date.now()
    const path = require.resolve(`@modelcontextprotocol/server-${s}/package.json`)
    const transport = new StdioClientTransport({ command: process.execPath, args: [join(dirname(path), require(path).bin[`mcp-server-${s}`]), ...args], stderr: 'pipe' })
    const client = new Client({ name: 'x', version: '1' })
    await client.connect(transport)
    const r = await client.listTools()
    console.log(s, r.tools.length, transport.pid, Date.now() - t0, r.nextCursor)
    console.log(r.tools.map(t => t.name + ': ' + Object.keys(t)).join('\n'))
    console.log(JSON.stringify(r.tools).match(/[^\x20-\x7e]/g))
    if (s==='filesystem') console.log(JSON.stringify(r.tools.find(t => t.name === 'write_file'), null, 1))
    console.log(client.getServerVersion())
    await client.close()
  }
}
await x()
