import { registrationAnswerSchema } from '../../src/protocol/agent.ts'
import { createClient, type Operator } from '../administration.ts'
import { makeAgent } from '../agents.ts'
import { startForeignIssuer } from '../foreign-issuer.ts'
import type { Progress } from '../progress.ts'
import { expectStatus, type RemitClient } from '../remit-client.ts'
import { type Defer, freePort } from '../remit-server.ts'
import { startRepository } from './repository.ts'
import type { PatchScene } from './scene.ts'
import {
  DESK,
  FOREIGN_CLIENT,
  PATCH_APP,
  PATCH_CAST,
  PATCH_STEPS,
  PATCH_WORKFLOW,
  type PatchAgent,
  PEOPLE,
} from './story.ts'

type Server = { readonly metadata: RemitClient['metadata']; readonly adminUrl: string }
type Around = { readonly progress: Progress; readonly defer: Defer; readonly server: Server; readonly anna: Operator }

/** A foreign issuer, two records that say what its tokens are worth, and an app whose executions the server records. */
export async function setUpPatch(around: Around): Promise<PatchScene> {
  const { progress, defer, server, anna } = around
  const { issuer } = server.metadata
  const foreign = await progress.step('start_foreign_issuer', 'Start an OpenID provider of somebody else', async () => {
    const started = await startForeignIssuer({ people: PEOPLE, applications: [{ client_id: FOREIGN_CLIENT }] })
    defer(started.close)
    return { detail: `${started.issuer}, where Alice and Ben sign in`, result: started }
  })
  const repo = `http://127.0.0.1:${await freePort()}`
  const access = [{ resource: repo, scope: 'repo:read repo:write' }]
  const { app, desk } = await progress.step('create_patch_app', 'Register the repository API and the app', async () => {
    await anna.create('/resources', {
      resource: repo,
      scopes: [
        { name: 'repo:read', workflow: true },
        { name: 'repo:write', approval: true },
      ],
      chain_disclosure: 'proofs',
    })
    const repository = await startRepository(repo, issuer)
    defer(repository.stop)
    const { client } = await createClient(anna, server, {
      client_id: PATCH_APP,
      client_name: 'Auto patch',
      owner: 'user:local:carl',
      kind: 'app',
      grant_types: ['client_credentials', 'agent_checksum', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      access: [...access, { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }],
    })
    const signIn = await createClient(anna, server, {
      client_id: DESK,
      client_name: 'Sign-in of approvers',
      owner: 'user:local:anna',
      kind: 'operator',
      grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      access: [{ resource: `${issuer}/admin`, scope: 'approve:steps' }],
    })
    return {
      detail: `${repo} (checked by Remit's verifier), ${PATCH_APP} (Carl's)`,
      result: { app: client, desk: signIn.client },
    }
  })
  await progress.step('trust_issuer', 'Say what its tokens are worth', async () => {
    const shared = {
      ...{ issuer: foreign.issuer, jwks_uri: foreign.jwks_uri, algs: ['ES256'] },
      ...{ audience: FOREIGN_CLIENT, typ_may_be_absent: true },
    }
    await anna.create('/trusted-issuers', { name: 'corp', purpose: 'user', clients: [PATCH_APP], ...shared })
    await anna.create('/trusted-issuers', {
      ...{ name: 'corp-operations', purpose: 'operator', clients: [DESK], ...shared },
      claims: { department: 'operations' },
      acr_values: ['urn:example:two-factors'],
      access: [{ resource: `${issuer}/admin`, scope: 'approve:steps' }],
    })
    return {
      detail: 'corp: people start executions; corp-operations: with two factors they approve',
      result: undefined,
    }
  })
  const agents = await progress.step('register_patch', 'Register four agents and their workflow', async () => {
    const registered = await registerAgents(app, access)
    await registerWorkflow(app, repo)
    return { detail: PATCH_STEPS.map(({ step_id }) => step_id).join(' > '), result: registered }
  })
  return { app, desk, agents, repo, foreign, adminUrl: server.adminUrl }
}

async function registerAgents(app: RemitClient, access: readonly object[]): Promise<PatchScene['agents']> {
  const access_token = await app.clientToken(app.metadata.issuer, 'register:intent')
  const register = async (agent_id: PatchAgent) => {
    const prompt = PATCH_CAST.find(member => member.agent_id === agent_id)?.prompt ?? ''
    const agent = await makeAgent(agent_id, prompt, { server: 'none', version: '0', tools: [] })
    const answer = await app.call('POST', app.metadata.ajwt_agent_registration_endpoint, access_token, {
      app_id: PATCH_APP,
      agent_components: agent.components,
      public_key: agent.key.publicJwk,
      grant: { access },
    })
    registrationAnswerSchema.parse(expectStatus(answer, 200))
    return agent
  }
  return {
    supervisor: await register('supervisor'),
    planner: await register('planner'),
    tester: await register('tester'),
    patcher: await register('patcher'),
  }
}

async function registerWorkflow(app: RemitClient, repo: string): Promise<void> {
  const access_token = await app.clientToken(app.metadata.issuer, 'register:workflow')
  const steps = PATCH_STEPS.map(step => {
    if (!('scope' in step)) return step
    const { scope, ...rules } = step
    return { ...rules, access: [{ resource: repo, scope }] }
  })
  const url = app.metadata.ajwt_workflow_registration_endpoint
  expectStatus(await app.call('POST', url, access_token, { workflow_id: PATCH_WORKFLOW, steps }), 200)
}
