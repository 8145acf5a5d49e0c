import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { registrationAnswerSchema } from '../../src/protocol/agent.ts'
import { holderKey } from '../../src/protocol/holder-key.ts'
import { createClient, type Operator } from '../administration.ts'
import type { Progress } from '../progress.ts'
import { expectStatus, type RemitClient } from '../remit-client.ts'
import { type Defer, freePort } from '../remit-server.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { startSchema } from './messages.ts'
import { type SpawnedAgent, spawnAgent } from './spawn-agent.ts'
import { NOTES, NOTES_APP, NOTES_CAST, NOTES_STEPS, NOTES_WORKFLOW, type NotesAgent } from './story.ts'
import { startFileServer } from './upstream.ts'

type Server = { readonly metadata: RemitClient['metadata']; readonly adminUrl: string }
type Around = {
  readonly dir: string
  readonly progress: Progress
  readonly defer: Defer
  readonly server: Server
  readonly anna: Operator
}

/** What the third act has set up by the time the planner begins. */
export type NotesScene = {
  readonly app: RemitClient
  readonly agents: Readonly<Record<NotesAgent, SpawnedAgent>>
  /** The address of the MCP server, and the audience of its tokens. */
  readonly resource: string
  readonly gateway: Gateway
  /** The one folder that the MCP server may use. */
  readonly folder: string
  readonly anna: Operator
  readonly defer: Defer
}

/** A published MCP server behind the verifier, and three agents as processes. */
export async function setUpNotes({ dir, progress, defer, server, anna }: Around): Promise<NotesScene> {
  const { issuer } = server.metadata
  const folder = join(dir, 'notes')
  const resource = `http://127.0.0.1:${await freePort()}/mcp`
  const { files, gateway } = await progress.step('protect_mcp', 'Put the verifier before an MCP server', async () => {
    await mkdir(folder)
    for (const [name, text] of Object.entries(NOTES)) await writeFile(join(folder, name), text)
    await anna.create('/resources', {
      resource,
      scopes: [
        { name: 'files:read', workflow: true },
        { name: 'files:write', approval: true },
      ],
      chain_disclosure: 'proofs',
    })
    const client = await startFileServer(folder, defer)
    const started = await startGateway({ resource, issuer, files: client, defer })
    return {
      detail: `${resource}, in front of server-filesystem over stdio`,
      result: { files: client, gateway: started },
    }
  })
  // Each process authenticates as the app by this key. It opens no agent: each of these has a registered key of its own.
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const client_key = await exportJWK(privateKey)
  const app = await progress.step('create_notes_app', 'Register the app', async () => {
    const record = {
      client_id: NOTES_APP,
      client_name: 'Release notes',
      owner: 'user:local:carl',
      kind: 'app',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource, scope: 'files:read files:write' },
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
      ],
    }
    const { client } = await createClient(anna, server, record, await holderKey(client_key))
    return { detail: `${NOTES_APP} (Carl's)`, result: client }
  })
  const agents = await progress.step('spawn_agents', 'Start three agents, each a process', async () => {
    const { tools } = await files.listTools()
    const spawn = ({ agent_id, prompt }: (typeof NOTES_CAST)[number]) => {
      const scope = scopesOf(agent_id)
      const by_model = agent_id === 'checker'
      const like = { issuer, client_id: NOTES_APP, client_key, agent_id, prompt, resource, scope, tools, by_model }
      return spawnAgent(startSchema.parse(like), defer)
    }
    const [first, second, third] = NOTES_CAST
    const [planner, writer, checker] = await Promise.all([spawn(first), spawn(second), spawn(third)])
    const pids = [planner, writer, checker].map(({ pid }) => pid).join(', ')
    return { detail: `processes ${pids}; each made its own key and keeps it`, result: { planner, writer, checker } }
  })
  await progress.step('register_notes', 'Register them and their workflow', async () => {
    await registerAgents(app, Object.values(agents), resource)
    await registerWorkflow(app, resource)
    return { detail: NOTES_STEPS.map(({ step_id }) => step_id).join(' > '), result: undefined }
  })
  return { app, agents, resource, gateway, folder, anna, defer }
}

async function registerAgents(app: RemitClient, agents: readonly SpawnedAgent[], resource: string): Promise<void> {
  const access_token = await app.clientToken(app.metadata.issuer, 'register:intent')
  for (const { agent_id, components, jwk } of agents) {
    const answer = await app.call('POST', app.metadata.ajwt_agent_registration_endpoint, access_token, {
      app_id: NOTES_APP,
      agent_components: components,
      public_key: jwk,
      grant: { access: [{ resource, scope: scopesOf(agent_id).join(' ') }] },
    })
    registrationAnswerSchema.parse(expectStatus(answer, 200))
  }
}

async function registerWorkflow(app: RemitClient, resource: string): Promise<void> {
  const access_token = await app.clientToken(app.metadata.issuer, 'register:workflow')
  const steps = NOTES_STEPS.map(step => {
    if (!('scope' in step)) return step
    const { scope, ...rules } = step
    return { ...rules, access: [{ resource, scope }] }
  })
  const url = app.metadata.ajwt_workflow_registration_endpoint
  expectStatus(await app.call('POST', url, access_token, { workflow_id: NOTES_WORKFLOW, steps }), 200)
}

/** An agent may what its steps need. */
function scopesOf(agent_id: string): string[] {
  return NOTES_STEPS.flatMap(step => ('scope' in step && step.agent_id === agent_id ? [step.scope] : []))
}
