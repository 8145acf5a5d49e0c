import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { bootstrap, createClient, logIn, type Operator } from '../demo/administration.ts'
import { type Agent, generateKey, makeAgent } from '../demo/agents.ts'
import { type Answer, discover, expectStatus, type RemitClient } from '../demo/remit-client.ts'
import { startRemit } from '../demo/remit-server.ts'
import { setStage } from '../demo/stage.ts'
import { accessTokenClaimsSchema } from '../src/protocol/claims.ts'
import { delegationDigest } from '../src/protocol/delegation.ts'
import { thumbprintOf } from '../src/protocol/jwk.ts'
import type { ServerMetadata } from '../src/protocol/metadata.ts'
import { agentSubject } from '../src/protocol/names.ts'
import { signDelegation } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'

// Bytes of tokens from a running server: each form of chain_disclosure, each algorithm, at every depth that it allows;
// once with names of ordinary length and once with the longest that are allowed. A refusal is said as such.

const FORMS = ['actors', 'hash', 'proofs'] as const
const ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const
const HOPS = 5
type Server = { readonly metadata: ServerMetadata; readonly adminUrl: string }
type Hop = { readonly answer: Answer; readonly assertion: string | undefined }

/** Who holds the key of an agent, by its subject name. */
const holders = new Map<string, Agent>()

await setStage(async ({ dir, defer }) => {
  const dataDir = join(dir, 'remit')
  await mkdir(dataDir)
  const remit = await startRemit(dataDir, defer)
  const server = { metadata: await discover(remit.issuer), adminUrl: remit.adminUrl }
  const key = await generateKey()
  const client_id = await bootstrap(server, await remit.bootstrapToken(), key)
  const anna = await logIn(server, client_id, key, 'admin:clients admin:resources')
  for (const form of FORMS) {
    for (const signing_alg of ALGS) {
      const scopes = [{ name: 'repository:write', workflow: true }]
      await anna.create('/resources', {
        resource: apiOf(form, signing_alg),
        scopes,
        signing_alg,
        chain_disclosure: form,
      })
    }
  }
  await measure(server, anna, { client: 'auto-patch-app', agent: (n: number) => `vulnerability-patcher-${n}` })
  await measure(server, anna, { client: 'c'.repeat(64), agent: (n: number) => `${n}`.repeat(128) })
}, console.error)

type Names = { readonly client: string; readonly agent: (n: number) => string }

async function measure(server: Server, anna: Operator, names: Names): Promise<void> {
  const { client, agents } = await register(server, anna, names)
  console.log(`\nnames of ${names.client.length} (client) and ${names.agent(1).length} (agent) characters`)
  for (const form of FORMS) {
    for (const alg of ALGS) {
      const sizes = await sizesByDepth(client, agents, apiOf(form, alg))
      console.log(`${form.padEnd(7)} ${alg.padEnd(6)} ${sizes.map((size, hops) => `${hops}: ${size}`).join('  ')}`)
    }
  }
}

/** Bytes of the token at each number of hops, in one execution; or the code of its refusal. */
async function sizesByDepth(client: RemitClient, agents: readonly Agent[], api: string): Promise<readonly string[]> {
  const sizes: string[] = []
  let hop: Hop | undefined
  for (const agent of agents) {
    hop = await mintBelow(client, hop, agent, api)
    const { access_token, ajwt_error, error } = hop.answer.body
    sizes.push(typeof access_token === 'string' ? String(access_token.length) : String(ajwt_error ?? error))
    if (typeof access_token !== 'string') break
  }
  return sizes
}

async function mintBelow(client: RemitClient, above: Hop | undefined, agent: Agent, api: string): Promise<Hop> {
  const assertion = above && (await delegated(client, above, agent, api))
  const answer = await client.mint(
    {
      agent_id: agent.components.agent_id,
      computed_checksum: agent.checksum,
      requested_scopes: ['repository:write'],
      audience: api,
      more: {
        ...{ workflow_id: 'auto-patch-workflow-v1', workflow_step: 'step_4_apply_patch' },
        ...(assertion !== undefined && { delegation_assertion: assertion }),
      },
    },
    agent.key,
  )
  return { answer, assertion }
}

async function delegated(client: RemitClient, { answer, assertion }: Hop, to: Agent, api: string): Promise<string> {
  const parent = accessTokenClaimsSchema.parse(decodeJwt(String(answer.body.access_token)))
  const { executed_by = '', execution_id = '', workflow_step = '' } = parent.intent ?? {}
  const holder = holders.get(agentSubject(client.client_id, executed_by))
  if (!holder) throw new Error('Nobody holds the parent token.')
  const iat = epochSeconds(new Date())
  return await signDelegation(holder.key, {
    iss: agentSubject(client.client_id, executed_by),
    sub: agentSubject(client.client_id, to.components.agent_id),
    aud: client.metadata.issuer,
    parent_jti: parent.jti,
    ...(assertion !== undefined && { prev: delegationDigest(assertion) }),
    jkt: await thumbprintOf(to.key.publicJwk),
    scope: parent.scope,
    resource: [api],
    ...{ workflow_step, execution_id, iat },
    exp: parent.exp,
    jti: crypto.randomUUID(),
  })
}

async function register(server: Server, anna: Operator, names: Names) {
  const { issuer } = server.metadata
  const access = FORMS.flatMap(form => ALGS.map(alg => ({ resource: apiOf(form, alg), scope: 'repository:write' })))
  const { client } = await createClient(anna, server, {
    client_id: names.client,
    client_name: 'Sizes',
    owner: 'user:local:ben',
    kind: 'app',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [...access, { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }],
  })
  const token = await client.clientToken(issuer, 'register:intent register:workflow')
  const agents: Agent[] = []
  for (let n = 0; n <= HOPS; n += 1) {
    const agent = await makeAgent(names.agent(n), 'You measure.', { server: 'none', version: '0', tools: [] })
    const body = { app_id: names.client, agent_components: agent.components, public_key: agent.key.publicJwk }
    const url = server.metadata.ajwt_agent_registration_endpoint
    expectStatus(await client.call('POST', url, token, { ...body, grant: { access } }), 200)
    agents.push(agent)
    holders.set(agentSubject(names.client, agent.components.agent_id), agent)
  }
  const steps = [{ step_id: 'step_4_apply_patch', agent_id: agents[0]?.components.agent_id, required: true }]
  const workflow = { workflow_id: 'auto-patch-workflow-v1', steps }
  expectStatus(await client.call('POST', server.metadata.ajwt_workflow_registration_endpoint, token, workflow), 200)
  return { client, agents }
}

function apiOf(form: string, alg: string): string {
  return `https://${form}.${alg.toLowerCase()}.api.example.com`
}
