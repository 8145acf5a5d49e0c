import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { registrationAnswerSchema } from '../src/protocol/agent.ts'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../src/protocol/claims.ts'
import { sequenceHash } from '../src/protocol/sequence-hash.ts'
import { bootstrap, createClient, logIn, type Operator } from './administration.ts'
import { type Agent, generateKey, makeAgent } from './agents.ts'
import { apiAttempts } from './api-refusals.ts'
import { approvalAttempts } from './approval-refusals.ts'
import { type Attempt, make } from './attempt.ts'
import { type NotesFindings, playNotes } from './mcp/play.ts'
import { setUpNotes } from './mcp/set-up.ts'
import { readTools } from './mcp-tools.ts'
import { mintAttempts, revokedAgent } from './mint-refusals.ts'
import { type PatchFindings, playPatch } from './patch/play.ts'
import { setUpPatch } from './patch/set-up.ts'
import type { Progress } from './progress.ts'
import { callApi, discover, expectStatus } from './remit-client.ts'
import { type Defer, freePort, startRemit } from './remit-server.ts'
import { startResourceServer } from './resource-server.ts'
import { requestFor, type Scene } from './scene.ts'
import { APP, CAST, ROUTES, STEPS, WORKFLOW } from './story.ts'

/** A token that was minted and used, taken apart for the report. */
export type MintedToken = {
  readonly step_id: string
  readonly header: object
  readonly claims: AccessTokenClaims
  /** What the two hashes of the token are taken over. */
  readonly steps: readonly string[]
  readonly chain: readonly string[]
  readonly call: string
}

export type Findings = {
  readonly agents: Agent[]
  readonly tokens: MintedToken[]
  readonly patch: PatchFindings
  readonly notes: NotesFindings
}

type Stage = {
  readonly dir: string
  readonly progress: Progress
  readonly findings: Findings
  readonly defer: Defer
}

/** The whole demo. Throws at the first step that does not go as it should; refusals are judged by `progress`. */
export async function play(stage: Stage): Promise<void> {
  const { progress } = stage
  progress.heading('Setting up')
  const remit = await startServer(stage)
  const { anna, ben, scene } = await setUp(stage, remit)
  const pending = await registerAgents(stage, scene)
  progress.heading('Refused before the approval')
  const [first] = pending
  if (!first) throw new Error('No agent was registered.')
  const { bootstrapToken } = remit
  await attemptAll(
    progress,
    approvalAttempts(scene, { server: remit, bootstrapToken, ownOperator: anna, approval: first }),
  )
  progress.heading('A token for each step')
  await approveAgents(progress, ben, pending)
  await registerWorkflow(progress, scene)
  const access_token = await runWorkflow(stage, scene)
  progress.heading('Refused by Remit')
  await attemptAll(progress, mintAttempts(scene))
  progress.heading('Refused by the API, with a stock library')
  const other_token = await scene.app.clientToken(remit.metadata.issuer, 'register:intent')
  await attemptAll(progress, apiAttempts(scene, { access_token, other_token }))
  progress.heading('Revoked')
  await revokeReader(progress, scene, ben, access_token)
  await attemptAll(progress, [revokedAgent(scene)])
  progress.heading('The second act: a person, a chain and a gate')
  const patch = await setUpPatch({ progress, defer: stage.defer, server: remit, anna })
  await playPatch(patch, { progress, findings: stage.findings.patch, anna })
  progress.heading('The third act: a real MCP server, agents as processes')
  const notes = await setUpNotes({ dir: stage.dir, progress, defer: stage.defer, server: remit, anna })
  await playNotes(notes, { progress, findings: stage.findings.notes })
}

type Remit = Awaited<ReturnType<typeof startServer>>

async function startServer({ dir, progress, defer }: Stage) {
  return await progress.step('start_server', 'Start Remit', async () => {
    const dataDir = join(dir, 'remit')
    await mkdir(dataDir)
    const { issuer, adminUrl, bootstrapToken } = await startRemit(dataDir, defer)
    const result = { metadata: await discover(issuer), adminUrl, bootstrapToken: await bootstrapToken() }
    return { detail: `${issuer}, with a Postgres of its own`, result }
  })
}

async function setUp(stage: Stage, remit: Remit) {
  const { progress, defer } = stage
  const { issuer } = remit.metadata
  const anna = await progress.step('bootstrap', 'Make the first administrator', async () => {
    const key = await generateKey()
    const client_id = await bootstrap(remit, remit.bootstrapToken, key)
    const scope = 'admin:clients admin:resources approve:agents approve:steps revoke audit:read'
    return { detail: 'Anna, by the one-time token', result: await logIn(remit, client_id, key, scope) }
  })
  const api = `http://127.0.0.1:${await freePort()}`
  const payroll = 'https://payroll.example.com'
  await progress.step('create_resources', 'Register two APIs', async () => {
    await anna.create('/resources', { resource: api, scopes: Object.keys(ROUTES).map(name => ({ name })) })
    await anna.create('/resources', { resource: payroll, scopes: [{ name: 'salaries:read' }] })
    const server = await startResourceServer(api, issuer)
    defer(server.stop)
    return { detail: `${api} (checked by oauth4webapi), ${payroll}`, result: undefined }
  })
  const { app, ben } = await progress.step('create_clients', 'Register the app and a second operator', async () => {
    const operator = { kind: 'operator', grant_types: ['client_credentials'], owner: 'user:local:ben' }
    const second = await createClient(anna, remit, {
      client_id: 'ben-operations',
      client_name: 'Ben, operations',
      ...operator,
      access: [{ resource: `${issuer}/admin`, scope: 'approve:agents revoke' }],
    })
    const { client } = await createClient(anna, remit, {
      client_id: APP,
      client_name: 'Weekly report',
      owner: 'user:local:anna',
      kind: 'app',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource: api, scope: Object.keys(ROUTES).join(' ') },
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
      ],
      policies: { workflow_state: 'asserted', require_approval: true, dpop_nonce: 'required' },
    })
    const result = { app: client, ben: await logIn(remit, 'ben-operations', second.key, 'approve:agents revoke') }
    return { detail: `${APP} (Anna's), ben-operations (Ben's)`, result }
  })
  const agents = await readAgents(stage)
  const scene: Scene = { app, agents, api, payroll }
  return { anna, ben, scene }
}

/** The real tool lists, by the servers' own `tools/list`. */
async function readAgents({ dir, progress, findings, defer }: Stage): Promise<Scene['agents']> {
  const meet = ({ agent_id, mcp_server, prompt }: (typeof CAST)[number]) =>
    progress.step(`read_tools_${agent_id}`, `Ask the MCP server of the ${agent_id}`, async () => {
      const source = await readTools(mcp_server, mcp_server === 'server-filesystem' ? [dir] : [], defer)
      const agent = await makeAgent(agent_id, prompt, source)
      findings.agents.push(agent)
      return { detail: `${source.tools.length} tools of ${mcp_server} ${source.version}`, result: agent }
    })
  const [reader, librarian, publisher] = CAST
  return { reader: await meet(reader), librarian: await meet(librarian), publisher: await meet(publisher) }
}

type PendingApproval = { readonly path: string; readonly body: { registration_id: string; checksum: string } }

async function registerAgents({ progress }: Stage, scene: Scene): Promise<readonly PendingApproval[]> {
  const { app, agents, api } = scene
  return await progress.step('register_agents', 'Register three agents', async () => {
    const access_token = await app.clientToken(app.metadata.issuer, 'register:intent')
    const pending: PendingApproval[] = []
    for (const { components, checksum, key } of Object.values(agents)) {
      const { agent_id } = components
      const scope = STEPS.filter(step => step.agent_id === agent_id).map(step => step.scope)
      const answer = await app.call('POST', app.metadata.ajwt_agent_registration_endpoint, access_token, {
        app_id: APP,
        agent_components: components,
        public_key: key.publicJwk,
        claimed_checksum: `sha256:${checksum}`,
        grant: { access: [{ resource: api, scope: scope.join(' ') }] },
      })
      const registered = registrationAnswerSchema.parse(expectStatus(answer, 200))
      if (registered.status !== 'pending') throw new Error(`${agent_id} is ${registered.status}, not pending`)
      const { registration_id } = registered
      pending.push({ path: `/agents/${APP}/${agent_id}/approve`, body: { registration_id, checksum } })
    }
    return { detail: 'prompt, tools, grant and key of each; all wait for approval', result: pending }
  })
}

async function approveAgents(progress: Progress, ben: Operator, pending: readonly PendingApproval[]): Promise<void> {
  await progress.step('approve_agents', 'Approve them', async () => {
    for (const { path, body } of pending) {
      const { status } = registrationAnswerSchema.parse(expectStatus(await ben.post(path, body), 200))
      if (status !== 'active') throw new Error(`${path} left the version ${status}`)
    }
    return { detail: 'by Ben, each by its registration and checksum', result: undefined }
  })
}

async function registerWorkflow(progress: Progress, { app, api }: Scene): Promise<void> {
  await progress.step('register_workflow', 'Register the workflow', async () => {
    const access_token = await app.clientToken(app.metadata.issuer, 'register:workflow')
    const steps = STEPS.map(({ step_id, agent_id, scope, rules }) => {
      return { step_id, agent_id, access: [{ resource: api, scope }], ...rules }
    })
    const url = app.metadata.ajwt_workflow_registration_endpoint
    const answer = await app.call('POST', url, access_token, { workflow_id: WORKFLOW, steps })
    const { status } = expectStatus(answer, 200)
    if (status !== 'registered') throw new Error(`the workflow is ${status}, not registered`)
    return { detail: STEPS.map(({ step_id }) => step_id).join(' > '), result: undefined }
  })
}

/** Mints a token for each step with the key of its agent, and calls the API with it. @returns the first token */
async function runWorkflow({ progress, findings }: Stage, scene: Scene): Promise<string> {
  const access_tokens: string[] = []
  for (const { step_id, agent_id, scope, after, chain } of STEPS) {
    await progress.step(`step_${step_id}`, `Step ${step_id}, by the ${agent_id}`, async () => {
      const { key } = scene.agents[agent_id]
      const answer = expectStatus(await scene.app.mint(requestFor(scene, step_id), key), 200)
      const { access_token } = z.object({ access_token: z.string(), token_type: z.literal('DPoP') }).parse(answer)
      access_tokens.push(access_token)
      const claims = accessTokenClaimsSchema.parse(decodeJwt(access_token))
      const steps = [...after, step_id]
      checkHashes(claims, steps, chain)
      const { method, path } = ROUTES[scope]
      expectStatus(
        await callApi(method, `${scene.api}${path}`, access_token, key, method === 'POST' ? {} : undefined),
        200,
      )
      const call = `${method} ${path}`
      findings.tokens.push({ step_id, header: decodeProtectedHeader(access_token), claims, steps, chain, call })
      return { detail: `token for ${scope}; ${call} answered 200`, result: undefined }
    })
  }
  return access_tokens[0] ?? ''
}

/** Anybody can recompute what a token says of its way here. */
function checkHashes({ intent }: AccessTokenClaims, steps: readonly string[], chain: readonly string[]): void {
  if (intent?.step_sequence_hash !== sequenceHash(steps)) throw new Error('The token has another step_sequence_hash.')
  if (intent.delegation_chain !== sequenceHash(chain)) throw new Error('The token has another delegation_chain.')
}

async function revokeReader(progress: Progress, { app }: Scene, ben: Operator, access_token: string): Promise<void> {
  await progress.step('revoke_agent', 'Revoke the reader', async () => {
    const before = await app.introspect(access_token)
    const reason = 'The demo shows a revocation.'
    await ben.create('/revocations', { kind: 'agent', id: `${APP}/reader`, reason })
    const after = await app.introspect(access_token)
    if (before.active !== true || after.active !== false)
      throw new Error('The token was not active before, or is after.')
    return { detail: 'by Ben; introspection of its token turns from active to inactive', result: undefined }
  })
}

async function attemptAll(progress: Progress, attempts: readonly Attempt[]): Promise<void> {
  for (const attempt of attempts) progress.refusal(await make(attempt))
}
