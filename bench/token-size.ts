import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt, SignJWT } from 'jose'
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
// with names of ordinary length, the same with all that a token can carry (a person, the digest of the intent, an approval
// of arguments, four scopes), and with the longest names that are allowed. A refusal is said as such.

const FORMS = ['actors', 'hash', 'proofs'] as const
const ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const
const HOPS = 5
const SCOPES = ['repository:write', 'repository:read', 'pull-request:open', 'pull-request:comment']
const PEOPLE = 'https://login.example.com'
const STEP = 'step_4_apply_patch'
const WORKFLOW = 'auto-patch-workflow-v1'
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
  const anna = await logIn(server, client_id, key, 'admin:clients admin:resources approve:steps')
  for (const form of FORMS) {
    for (const signing_alg of ALGS) {
      const scopes = SCOPES.map(name => ({ name, workflow: true }))
      await anna.create('/resources', {
        resource: apiOf(form, signing_alg),
        scopes,
        signing_alg,
        chain_disclosure: form,
      })
    }
  }
  const agent = (n: number) => `vulnerability-patcher-${n}`
  await measure(server, anna, { client: 'auto-patch-app', agent })
  await measure(server, anna, { client: 'auto-patch-app-2', agent, full: await fullness(server, anna) })
  await measure(server, anna, { client: 'c'.repeat(64), agent: n => `${n}`.repeat(128) })
}, console.error)

/** What fills a token: somebody who starts executions, and somebody else who approves their steps. */
type Full = {
  readonly trust: (client_id: string) => Promise<void>
  readonly userToken: () => Promise<string>
  readonly eve: Operator
}
type Case = { readonly client: string; readonly agent: (n: number) => string; readonly full?: Full }

async function fullness(server: Server, anna: Operator): Promise<Full> {
  const people = await generateKey()
  const trust = async (client_id: string) =>
    await anna.create('/trusted-issuers', {
      ...{ name: 'workforce', purpose: 'user', issuer: PEOPLE, jwks: { keys: [people.publicJwk] }, algs: ['ES256'] },
      ...{ audience: 'remit', typ_may_be_absent: true, clients: [client_id] },
    })
  const { client, key } = await createClient(anna, server, {
    ...{ client_id: 'eve', client_name: 'Eve', owner: 'user:local:eve', kind: 'operator' },
    grant_types: ['client_credentials'],
    access: [{ resource: `${server.metadata.issuer}/admin`, scope: 'approve:steps' }],
  })
  const userToken = async () =>
    await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(PEOPLE)
      .setAudience('remit')
      .setSubject('248289761001-a-person-of-the-workforce')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(people.privateKey)
  return { userToken, trust, eve: await logIn(server, client.client_id, key, 'approve:steps') }
}

async function measure(server: Server, anna: Operator, of: Case): Promise<void> {
  const { client, agents } = await register(server, anna, of)
  await of.full?.trust(of.client)
  const what = of.full ? ', a person, the digest of the intent, an approval, four scopes' : ''
  console.log(`\nnames of ${of.client.length} (client) and ${of.agent(1).length} (agent) characters${what}`)
  for (const form of FORMS) {
    for (const alg of ALGS) {
      const sizes = await sizesByDepth(client, agents, apiOf(form, alg), of.full)
      console.log(`${form.padEnd(7)} ${alg.padEnd(6)} ${sizes.map((size, hops) => `${hops}: ${size}`).join('  ')}`)
    }
  }
}

/** Bytes of the token at each number of hops, in one execution; or the code of its refusal. */
async function sizesByDepth(
  client: RemitClient,
  agents: readonly Agent[],
  api: string,
  full: Full | undefined,
): Promise<readonly string[]> {
  const sizes: string[] = []
  const asked = {
    scopes: full ? SCOPES : SCOPES.slice(0, 1),
    execution_id: full && (await openFor(client, full)),
  }
  let hop: Hop | undefined
  for (const agent of agents) {
    hop = await mintBelow(client, hop, agent, { api, ...asked })
    if (full && hop.answer.body.ajwt_error === 'approval_pending') {
      const { arguments_digest } = await full.eve.read(`/approvals/${String(hop.answer.body.approval_id)}`)
      const decision = { decision: 'grant', arguments_digest, reason: 'as agreed' }
      expectStatus(await full.eve.post(`/approvals/${String(hop.answer.body.approval_id)}`, decision), 200)
      hop = await mintBelow(client, undefined, agent, { api, ...asked })
    }
    const { access_token, ajwt_error, error } = hop.answer.body
    sizes.push(typeof access_token === 'string' ? String(access_token.length) : String(ajwt_error ?? error))
    if (typeof access_token !== 'string') break
  }
  return sizes
}

/** An execution that somebody asked for, with what they asked for as a digest. */
async function openFor(client: RemitClient, { userToken }: Full): Promise<string> {
  const { issuer } = client.metadata
  const token = await client.clientToken(issuer, 'generate:intent-token')
  const body = { workflow_id: WORKFLOW, subject_token: await userToken(), intent_digest: 'q'.repeat(43) }
  const answer = await client.call('POST', `${issuer}/intent/executions`, token, body)
  return String(expectStatus(answer, 201).execution_id)
}

type Asked = { readonly api: string; readonly scopes: readonly string[]; readonly execution_id: string | undefined }

async function mintBelow(
  client: RemitClient,
  above: Hop | undefined,
  agent: Agent,
  { api, scopes, execution_id }: Asked,
): Promise<Hop> {
  const assertion = above && (await delegated(client, above, agent, api))
  const step = { workflow_id: WORKFLOW, workflow_step: STEP, ...(execution_id !== undefined && { execution_id }) }
  const detail = { type: 'urn:remit:workflow-step', ...step, arguments: { pull_request: 7 } }
  const answer = await client.mint(
    {
      agent_id: agent.components.agent_id,
      computed_checksum: agent.checksum,
      requested_scopes: scopes,
      audience: api,
      more: {
        ...(execution_id !== undefined ? { authorization_details: [detail] } : step),
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

async function register(server: Server, anna: Operator, names: Case) {
  const { issuer } = server.metadata
  const access = FORMS.flatMap(form => ALGS.map(alg => ({ resource: apiOf(form, alg), scope: SCOPES.join(' ') })))
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
  const apply = { step_id: STEP, agent_id: agents[0]?.components.agent_id, required: true }
  const gate = { step_id: 'step_3_review', approval_gate: true }
  const steps = names.full ? [gate, { ...apply, requires_approval: true }] : [apply]
  const workflow = { workflow_id: WORKFLOW, steps }
  expectStatus(await client.call('POST', server.metadata.ajwt_workflow_registration_endpoint, token, workflow), 200)
  return { client, agents }
}

function apiOf(form: string, alg: string): string {
  return `https://${form}.${alg.toLowerCase()}.api.example.com`
}
