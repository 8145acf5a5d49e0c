import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startForeignIssuer } from '../../demo/foreign-issuer.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

/** One server with an app that takes the users of a provider which is not ours. */
const API = 'https://repo.example.test'
const cwd = await workingDirectory()
const { env: addresses, issuer } = await freeAddresses()
const env = { ...addresses, REMIT_ALLOW_PRIVATE_FETCH: '1' }
await serve(cwd, env)
const idp = await startForeignIssuer({ people: { alice: {} }, applications: [{ client_id: 'portal' }] })
after(idp.close)
const asApp = ['--client', 'app', '--secret-file', 'secret']

async function done(...args: readonly string[]) {
  const { code, value, stderr } = await remitJson(cwd, args, env)
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return value
}

async function givenApp(): Promise<void> {
  const access = [
    { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
    { resource: API, scope: 'read' },
  ]
  const files: Readonly<Record<string, unknown>> = {
    'client.json': {
      ...{ client_id: 'app', client_name: 'App', owner: 'user:local:carl', kind: 'app', access },
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      policies: { default_grant: 'client' },
    },
    'api.json': { resource: API, scopes: [{ name: 'read' }] },
    'agent.json': { agent_id: 'reader', prompt_template: 'Read.', tools: [] },
    'flow.json': { workflow_id: 'look', steps: [{ step_id: 'scan', agent_id: 'reader' }] },
    'corp.json': {
      ...{ name: 'corp', purpose: 'user', audience: 'portal', clients: ['app'] },
      ...{ issuer: idp.issuer, jwks_uri: idp.jwks_uri, algs: ['ES256'], typ_may_be_absent: true },
    },
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), JSON.stringify(content))
  await done('init', '--owner', 'user:local:anna')
  await done('resource', 'create', 'api.json')
  await done('client', 'create', 'client.json', '--secret-file', 'secret')
  await done('issuer', 'create', 'corp.json')
  await done('agent', 'create', 'agent.json', ...asApp, '--generate-key', 'agent-key.json')
  await done('workflow', 'create', 'flow.json', ...asApp)
}

test('token mint --subject-token-file begins an execution for a user of a trusted issuer (section 6, exchange (a))', async () => {
  await givenApp()
  await writeFile(join(cwd, 'user.jwt'), await idp.signIn('alice', 'portal'))
  const mint = ['token', 'mint', ...asApp, '--file', 'agent.json', '--key', 'agent-key.json', '--scope', 'read']
  const scan = [...mint, '--resource', API, '--workflow', 'look', '--step', 'scan']
  const idToken = ['--subject-token-type', 'urn:ietf:params:oauth:token-type:id_token']

  const minted = await done(...scan, '--subject-token-file', 'user.jwt', ...idToken)

  assert.equal(minted.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
  const { payload } = await done('token', 'decode', minted.access_token)
  assert.deepEqual([payload.sub, payload.intent.initiated_by], ['user:corp:alice', 'user:corp:alice'])
  const view = await done('execution', 'show', minted.execution_id, ...asApp)
  assert.equal(view.initiated_by, 'user:corp:alice')
  const own = await done('token', 'decode', (await done(...scan)).access_token)
  assert.equal(own.payload.intent.initiated_by, 'agent:app:reader', 'without it nobody’s but the agent’s')
  const half = await remit(cwd, [...scan, ...idToken], env)
  assert.deepEqual([half.code, /Give --subject-token-file FILE/.test(half.stderr)], [2, true])
})
