import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { bootstrap, createClient, logIn } from '../demo/administration.ts'
import { generateKey, makeAgent } from '../demo/agents.ts'
import { discover, expectStatus, type RemitClient, send } from '../demo/remit-client.ts'
import { startRemit } from '../demo/remit-server.ts'
import { setStage } from '../demo/stage.ts'
import { accessTokenClaimsSchema } from '../src/protocol/claims.ts'
import { thumbprintOf } from '../src/protocol/jwk.ts'
import type { HolderKey } from '../src/protocol/sign.ts'
import { signDelegation } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'
import { intervalOfMedian, median } from './statistics.ts'

// What a mint costs more when the server records the execution, and when it is delegated: one request of each kind a
// round, in turning order, against one server process; the median of the ratios within a round, with its interval.
// Requests are signed before the clock starts, so that the time is the server's and that of loopback HTTP. `entered` opens
// an execution and enters its step, `renewed` mints again in it; `delegated` shows an assertion for the first time,
// `delegated again` one that was shown before.

const ROUNDS = Number(process.argv[2] ?? 400)
const WARM_UP = 40
const API = 'https://bench.example'
const LIMITS = { max_tokens: 1_000, max_children: 256, max_nodes: 10_000 }
/** Rounds an execution: an execution of hundreds of tokens is not what is measured. */
const ROUNDS_AN_EXECUTION = 40

const KINDS = ['plain', 'entered', 'renewed', 'delegated', 'delegated again'] as const
type Kind = (typeof KINDS)[number]
type Minter = () => Promise<() => Promise<void>>

await setStage(async ({ dir, defer }) => {
  const dataDir = join(dir, 'remit')
  await mkdir(dataDir)
  const remit = await startRemit(dataDir, defer)
  const server = { metadata: await discover(remit.issuer), adminUrl: remit.adminUrl }
  const key = await generateKey()
  const client_id = await bootstrap(server, await remit.bootstrapToken(), key)
  const anna = await logIn(server, client_id, key, 'admin:clients admin:resources')
  await anna.create('/resources', { resource: API, scopes: [{ name: 'read' }] })
  const access = [{ resource: API, scope: 'read' }]
  const { client } = await createClient(anna, server, {
    client_id: 'bench',
    client_name: 'Bench',
    owner: 'user:local:ben',
    kind: 'app',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [...access, { resource: remit.issuer, scope: 'generate:intent-token register:intent register:workflow' }],
    policies: { limits: LIMITS },
  })
  const tools = { server: 'none', version: '0', tools: [] }
  const agents = {
    solo: await makeAgent('solo', 'You work alone.', tools),
    lead: await makeAgent('lead', 'You lead.', tools),
    hand: await makeAgent('hand', 'You help.', tools),
  }
  const register = await client.clientToken(remit.issuer, 'register:intent register:workflow')
  for (const { components, key: agentKey } of Object.values(agents)) {
    const body = { app_id: 'bench', agent_components: components, public_key: agentKey.publicJwk, grant: { access } }
    expectStatus(await client.call('POST', server.metadata.ajwt_agent_registration_endpoint, register, body), 200)
  }
  const steps = [{ step_id: 'work', agent_id: 'lead', required: true }]
  const workflow = { workflow_id: 'flow', steps }
  expectStatus(await client.call('POST', server.metadata.ajwt_workflow_registration_endpoint, register, workflow), 200)

  let running = { execution_id: '', parent_jti: '', assertion: '' }
  const named = () => ({ workflow_id: 'flow', workflow_step: 'work' })
  async function startExecution(): Promise<void> {
    const begun = await request(client, agents.lead, named())
    const answer = await begun()
    const parent = accessTokenClaimsSchema.parse(decodeJwt(String(answer.access_token)))
    running = { execution_id: parent.intent?.execution_id ?? '', parent_jti: parent.jti, assertion: '' }
    running.assertion = await newAssertion()
    const shown = await request(client, agents.hand, { ...named(), ...delegation(running.assertion) })
    await shown()
  }
  async function newAssertion(): Promise<string> {
    const iat = epochSeconds(new Date())
    return await signDelegation(agents.lead.key, {
      iss: 'agent:bench:lead',
      sub: 'agent:bench:hand',
      aud: remit.issuer,
      parent_jti: running.parent_jti,
      jkt: await thumbprint(agents.hand.key),
      scope: 'read',
      resource: [API],
      workflow_step: 'work',
      execution_id: running.execution_id,
      iat,
      exp: iat + 600,
      jti: randomUUID(),
    })
  }
  const delegation = (assertion: string) => ({
    ...{ execution_id: running.execution_id, delegation_assertion: assertion },
  })
  const minters: Readonly<Record<Kind, Minter>> = {
    plain: async () => await timed(client, agents.solo, {}),
    entered: async () => await timed(client, agents.lead, named()),
    renewed: async () => await timed(client, agents.lead, { ...named(), execution_id: running.execution_id }),
    delegated: async () => await timed(client, agents.hand, { ...named(), ...delegation(await newAssertion()) }),
    'delegated again': async () => await timed(client, agents.hand, { ...named(), ...delegation(running.assertion) }),
  }
  const times: Record<Kind, number[]> = { plain: [], entered: [], renewed: [], delegated: [], 'delegated again': [] }
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    if ((round + WARM_UP) % ROUNDS_AN_EXECUTION === 0) await startExecution()
    for (const kind of turned(round + WARM_UP)) {
      const go = await minters[kind]()
      const began = performance.now()
      await go()
      if (round >= 0) times[kind].push(performance.now() - began)
    }
  }
  for (const kind of KINDS.slice(1)) {
    const ratios = times[kind].map((time, round) => time / (times.plain[round] ?? time))
    const [low, high] = intervalOfMedian(ratios)
    console.log(
      `${kind} / plain: ${median(ratios).toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] over ${ratios.length} rounds`,
    )
  }
  console.log(`plain, median: ${median(times.plain).toFixed(2)} ms`)
}, console.error)

/** The kinds of one round: each begins as often as any other, and every other time they run backwards. */
function turned(round: number): readonly Kind[] {
  const at = Math.floor(round / 2) % KINDS.length
  const kinds = [...KINDS.slice(at), ...KINDS.slice(0, at)]
  return round % 2 === 0 ? kinds : kinds.reverse()
}

type Sender = { readonly components: { readonly agent_id: string }; readonly checksum: string; readonly key: HolderKey }

/** One mint, signed and ready to be sent. */
async function request(client: RemitClient, { components, checksum, key }: Sender, more: object) {
  const url = client.metadata.ajwt_intent_token_endpoint
  const body = {
    grant_type: 'agent_checksum',
    agent_id: components.agent_id,
    computed_checksum: checksum,
    requested_scopes: ['read'],
    audience: API,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await client.signAssertion(),
    ...more,
  }
  const DPoP = await client.signProof(key, url, { nonce: false })
  return async () => expectStatus(await send('POST', url, { DPoP }, body), 200)
}

async function timed(client: RemitClient, agent: Sender, more: object): Promise<() => Promise<void>> {
  const go = await request(client, agent, more)
  return async () => {
    await go()
  }
}

async function thumbprint({ publicJwk }: HolderKey): Promise<string> {
  return await thumbprintOf(publicJwk)
}
