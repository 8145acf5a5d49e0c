import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAgent } from '../../src/shim/create-agent.ts'
import { agentOf, givenHost, PROMPT, startApi } from '../shim/setting.ts'
import { startTestApp } from '../support/app.ts'
import { givenAgent } from '../support/given.ts'
import { remit, workingDirectory } from './remit.ts'

const app = await startTestApp()
const cwd = await workingDirectory()

test('remit agent settings writes what the shim needs beside the prompt, readable by its owner only', async () => {
  const api = await startApi(app)
  const host = await givenHost(app, [api])
  const agent_components = await agentOf(app, host, [api]).components()
  await givenAgent(app, host.client, 'pager', { agent_components, public_key: undefined })
  await writeFile(join(cwd, 'client-key.json'), JSON.stringify(host.key))
  const args = ['agent', 'settings', host.client.client_id, 'pager', 'remit.json', '--client-key', 'client-key.json']
  const named = [...args, '--access', `${api.resource} page:read`, '--url', app.issuer]
  const made = await remit(cwd, named)
  assert.deepEqual([made.code, made.stderr], [0, ''])
  assert.ok(!made.stdout.includes(String(host.key.d)))
  const file = join(cwd, 'remit.json')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const settings = JSON.parse(await readFile(file, 'utf8'))
  const { fetch } = createAgent({ ...settings, prompt: PROMPT, now: app.clock.now })
  assert.equal((await fetch(api.resource)).status, 200)
  assert.equal(api.calls[0]?.claims.scope, 'page:read')
  assert.equal((await remit(cwd, named)).code, 1, 'a file that is there is not overwritten')
  assert.equal((await remit(cwd, [...args, '--url', app.issuer])).code, 2, 'it needs an API')
})
