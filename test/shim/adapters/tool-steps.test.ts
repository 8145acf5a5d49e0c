import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { mcpTools, mcpTransport } from '../../../src/shim/adapters/mcp-client.ts'
import { inStep } from '../../../src/shim/adapters/tool-steps.ts'
import { startTestApp } from '../../support/app.ts'
import { givenAgent } from '../../support/given.ts'
import { agentOf, givenHost, PROMPT, startApi } from '../setting.ts'

const app = await startTestApp()

async function given() {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const [one, other] = ['one', 'other'].map(agent_id => agentOf(app, host, [api], { agent_id }))
  if (!one || !other) throw new Error('There are two.')
  for (const { agent_id } of [one, other]) {
    const agent_components = { agent_id, prompt_template: PROMPT, tools: [] }
    await givenAgent(app, host.client, agent_id, { agent_components, public_key: undefined })
  }
  return { api, one, other }
}

test('a tool without a step is its agent’s work all the same: it calls no other agent without a handoff', async () => {
  const { api, one, other } = await given()
  const tool = async () => await inStep(other, undefined, async () => await other.fetch(api.resource))
  assert.equal((await tool()).status, 200)
  await assert.rejects(inStep(one, undefined, tool), { reason: 'another_agents_work' })
})

test('a server that says its tools changed whenever they are listed is asked three times, not for ever', async () => {
  const { api, one } = await given()
  let lists = 0
  const client = Object.assign(new Client({ name: 'test', version: '1' }), {
    listTools: async () => {
      lists += 1
      await Promise.resolve()
      transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
      return { tools: [] }
    },
  })
  const transport = mcpTransport(one, client, new URL(api.resource), { served: mcpTools([]) })
  await transport.start()
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read', arguments: {} } } as const
  await assert.rejects(transport.send(call), { reason: 'tools_keep_changing' })
  assert.equal(lists, 3)
  await assert.rejects(transport.send([call]), { reason: 'mcp_batch' })
  assert.deepEqual(api.calls, [])
})
