import { fork } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import { z } from 'zod'
import { bootstrap, createClient, logIn } from '../demo/administration.ts'
import { generateKey } from '../demo/agents.ts'
import { discover, expectStatus } from '../demo/remit-client.ts'
import { type Defer, startRemit } from '../demo/remit-server.ts'
import { setStage } from '../demo/stage.ts'
import { agentChecksum, type ChecksumTool } from '../src/protocol/checksum.ts'
import { type Agent, createAgent } from '../src/shim/index.ts'
import { createVerifier } from '../src/verifier/index.ts'
import { bareChecks } from './bare-checks.ts'
import { overheadPage } from './overhead-page.ts'
import { type Kind, type Measured, measure, WARM_UP } from './rounds.ts'
import { median } from './statistics.ts'

// What protection costs: each part alone, then one whole call with a cached token beside the same call without
// protection and behind a stock library, in turning order in one run. Ratios are of one machine and travel; times do not.

const ROUNDS = Number(process.argv[2] ?? 1_000)
/** Each needs a mint of its own, and comes after what warms it up. */
const [MINT_ROUNDS, MINT_WARM_UP] = [Math.ceil(ROUNDS * 0.3), 40]
const BARE = 'two bare signature checks'
const REPORT = 'overhead-report.html'
/** One object, as an API has it: a rule is read once. */
const RULE = { scope: ['read'] }
const PROMPT = 'You answer questions about pages, briefly and in plain words. '.repeat(140).slice(0, 8_192)
const TOOLS: readonly ChecksumTool[] = Array.from({ length: 50 }, (_, n) => ({
  name: `tool_${n}`,
  description: `Reads or changes pages of kind ${n}, and says what it did.`,
  parameters: {
    type: 'object',
    properties: { page: { type: 'integer', minimum: 1 }, text: { type: 'string', maxLength: 4_000 } },
    required: ['page'],
  },
}))
const apisSchema = z.object({ open: z.string(), verifier: z.string(), stock: z.string() })
type Apis = z.output<typeof apisSchema>

const isDone = await setStage(async ({ dir, defer }) => {
  const { apis, protect } = await startApis(defer)
  const { agent, issuer } = await startAgent(dir, defer, apis)
  await protect(issuer)
  console.error('Measuring the parts…')
  const checks = await measure(ROUNDS, await checksOf(agent, issuer, apis))
  const url = `${apis.verifier}/pages/7`
  const shim = await measure(ROUNDS, {
    'checksum of 8 KB and 50 tools': async () => async () => void agentChecksum(await agent.components()),
    attach: async () => async () => void (await agent.headers('GET', url)),
  })
  console.error('Measuring tokens that were never seen…')
  const seenFirst = await measure(MINT_ROUNDS, await firstChecksOf(agent, issuer, apis), MINT_WARM_UP)
  const parts = [...shim, ...checks, ...seenFirst.filter(({ name }) => name !== BARE)]
  console.error('Measuring whole calls…')
  const calls = await measure(ROUNDS, {
    'call, unprotected': async () => async () => await called(fetch(`${apis.open}/pages/7`)),
    'call, verifier': async () => async () => await called(agent.fetch(`${apis.verifier}/pages/7`)),
    'call, oauth4webapi': async () => async () => await called(agent.fetch(`${apis.stock}/pages/7`)),
  })
  console.error('Measuring mints…')
  const mint: Kind = async () => {
    agent.changed()
    return async () => void (await agent.headers('GET', apis.verifier))
  }
  const mints = await measure(MINT_ROUNDS, { 'mint, with checksum and attach': mint }, MINT_WARM_UP)
  const ratios = [
    ratio(checks, 'verify', BARE),
    ratio(seenFirst, 'verify, token seen first', BARE),
    ratio(checks, 'oauth4webapi verify', BARE),
    ratio(calls, 'call, verifier', 'call, unprotected'),
    ratio(calls, 'call, verifier', 'call, oauth4webapi'),
  ]
  const machine = `${cpus().length} cores, Node ${process.version}`
  await writeFile(REPORT, overheadPage({ parts: [...parts, ...mints], calls, ratios, machine }))
  console.log([machine, ...[...parts, ...mints, ...calls].map(line), ...ratios, `The plot is in ${REPORT}.`].join('\n'))
}, console.error)
if (!isDone) process.exitCode = 1

/** Three APIs in a process of their own, so that they do not share the client's processor time. */
async function startApis(defer: Defer): Promise<{ apis: Apis; protect: (issuer: string) => Promise<void> }> {
  const child = fork(new URL('overhead-api.ts', import.meta.url), { stdio: 'inherit' })
  defer(async () => void child.kill())
  const heard = async () => await new Promise<unknown>(resolve => child.once('message', resolve))
  const apis = apisSchema.parse(await heard())
  return {
    apis,
    async protect(issuer) {
      const ready = heard()
      child.send(issuer)
      await ready
    },
  }
}

async function startAgent(dir: string, defer: Defer, apis: Apis): Promise<{ agent: Agent; issuer: string }> {
  const dataDir = join(dir, 'remit')
  await mkdir(dataDir)
  const { issuer, adminUrl, bootstrapToken } = await startRemit(dataDir, defer)
  const server = { metadata: await discover(issuer), adminUrl }
  const adminKey = await generateKey()
  const administrator = await bootstrap(server, await bootstrapToken(), adminKey)
  const anna = await logIn(server, administrator, adminKey, 'admin:clients admin:resources')
  const resources = [apis.verifier, apis.stock]
  for (const resource of resources) await anna.create('/resources', { resource, scopes: [{ name: 'read' }] })
  const access = resources.map(resource => ({ resource, scope: 'read' }))
  const { client, key } = await createClient(anna, server, {
    client_id: 'bench',
    client_name: 'Bench',
    owner: 'user:local:ben',
    kind: 'app',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [...access, { resource: issuer, scope: 'generate:intent-token register:intent' }],
    policies: { default_grant: 'client', agent_keys: 'endorsed' },
  })
  const agent = createAgent({
    issuer,
    client: { client_id: 'bench', key },
    agent_id: 'reader',
    prompt: PROMPT,
    tools: TOOLS,
    access: resources.map(resource => ({ resource, scope: ['read'] })),
  })
  const body = { app_id: 'bench', agent_components: await agent.components() }
  const register = await client.clientToken(issuer, 'register:intent')
  expectStatus(await client.call('POST', server.metadata.ajwt_agent_registration_endpoint, register, body), 200)
  return { agent, issuer }
}

/** What an API does for one call; all calls are signed before the first of them is timed. */
async function checksOf(agent: Agent, issuer: string, apis: Apis): Promise<Readonly<Record<string, Kind>>> {
  const url = `${apis.verifier}/pages/7`
  const verifier = createVerifier({ issuer, audience: apis.verifier })
  const insecure = { [oauth.allowInsecureRequests]: true }
  const discovery = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure })
  const as = await oauth.processDiscoveryResponse(new URL(issuer), discovery)
  const options = { requireDPoP: true, signingAlgorithms: ['ES256'], ...insecure }
  const bare = await bareChecks(await agent.headers('GET', url), `${issuer}/.well-known/jwks.json`)
  const presented: Record<string, string>[] = []
  for (let call = 0; call < ROUNDS + WARM_UP; call += 1) presented.push(await agent.headers('GET', url))
  const requests = presented.map(headers => new Request(url, { headers }))
  return {
    [BARE]: async () => bare.fastest,
    'two bare checks by WebCrypto': async () => bare.byWebCrypto,
    verify: async () => {
      const call = { ...presented.pop(), method: 'GET', url }
      return async () => void (await verifier.verify(call, RULE))
    },
    'oauth4webapi verify': async () => {
      const request = requests.pop() ?? new Request(url)
      return async () => void (await oauth.validateJwtAccessToken(as, request, apis.verifier, options))
    },
  }
}

/** `verify` remembers that the signature of a token held; here each token comes for the first time. */
async function firstChecksOf(agent: Agent, issuer: string, apis: Apis): Promise<Readonly<Record<string, Kind>>> {
  const url = `${apis.verifier}/pages/7`
  const { verify } = createVerifier({ issuer, audience: apis.verifier })
  const bare = await bareChecks(await agent.headers('GET', url), `${issuer}/.well-known/jwks.json`)
  const presented: Record<string, string>[] = []
  for (let call = 0; call < MINT_ROUNDS + MINT_WARM_UP; call += 1) {
    agent.changed()
    presented.push(await agent.headers('GET', url))
  }
  return {
    [BARE]: async () => bare.fastest,
    'verify, token seen first': async () => {
      const call = { ...presented.pop(), method: 'GET', url }
      return async () => void (await verify(call, RULE))
    },
  }
}

async function called(answer: Promise<Response>): Promise<void> {
  const response = await answer
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`The API answered ${response.status}.`)
}

/** Medians of the pairs of one round, and the two 99th percentiles against each other. */
function ratio(all: readonly Measured[], name: string, to: string): string {
  const [one, other] = [name, to].map(wanted => all.find(measured => measured.name === wanted))
  if (!one || !other) throw new Error('Both were measured.')
  const paired = median(one.times.map((time, round) => time / (other.times[round] ?? time)))
  return `${name} / ${to}: median ${paired.toFixed(2)}, p99 ${(one.p99 / other.p99).toFixed(2)}`
}

function line({ name, times, median: middle, p99 }: Measured): string {
  const figures = `${middle.toFixed(3).padStart(9)} ms   p99${p99.toFixed(3).padStart(9)} ms`
  return `${name.padEnd(32)}${figures}   ${times.length} rounds`
}
