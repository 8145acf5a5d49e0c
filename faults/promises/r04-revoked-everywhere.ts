import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import type { Agent } from '../../demo/agents.ts'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import type { JsonObject } from '../../src/protocol/json.ts'
import { thumbprintOf } from '../../src/protocol/jwk.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { signDelegation } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { ask, type Reply } from '../ask.ts'
import type { RemitNode } from '../node.ts'
import { expect, type Party } from '../party.ts'
import type { FaultPromise } from '../promise.ts'
import { API, addAgent, addApp, startWorld, type World } from '../world.ts'

/** What is revoked, in turn: `token` is one that was delegated from, `suspend` is the reversible one. */
const KINDS = [
  'agent',
  'registration',
  'key',
  'execution',
  'initiator',
  'workflow',
  'client',
  'token',
  'suspend',
] as const
type Kind = (typeof KINDS)[number]

/** Mints that are under way while it is revoked: they may succeed, and their tokens must be dead afterwards. */
const RACING = 3
const SPREAD_MS = 12
/** Part of the rounds in which a node may be too slow to decide. */
const TOLERATED = 0.01

/** Something to revoke: a token that it covers, and a mint that it covers. */
type Subject = {
  readonly app: Party
  readonly token: string
  readonly minter: Agent
  readonly more: JsonObject
  readonly id: string
}

/** R4: when the revocation has answered, nothing that it covers is minted or active on any node. */
export const revokedEverywhere: FaultPromise = {
  ids: ['R4'],
  title: 'revoke at one node, at once mint and introspect at the other, mints under way',
  run: async stage => {
    const rounds = stage.short ? 150 : 1_000
    const world = await startWorld(stage.dir, stage.defer, { nodes: 2 })
    const total = { minted: 0, active: 0, raced: 0, unanswered: 0 }
    for (let round = 0; round < rounds; round += 1) {
      const seen = await playRound(world, KINDS[round % KINDS.length] ?? 'agent', `s${round}`)
      total.minted += seen.minted
      total.active += seen.active
      total.raced += seen.raced
      total.unanswered += seen.unanswered
      if (round % 100 === 99) stage.say(`${round + 1} rounds`)
    }
    const { minted, active, raced, unanswered } = total
    const rest = `${raced} tokens of mints under way, ${unanswered} answers without a decision`
    return [
      {
        id: 'R4',
        figure: `${minted} minted and ${active} active after the answer in ${rounds} rounds of ${KINDS.length} kinds (${rest})`,
        ok: minted + active === 0 && raced > 0 && unanswered <= rounds * TOLERATED,
      },
    ]
  },
}

async function playRound(world: World, kind: Kind, name: string) {
  const [first, second] = world.nodes
  if (!first || !second) throw new Error('Two nodes are needed.')
  const subject = await prepare(world, first, kind, name)
  const { app, minter, token, more } = subject
  // What is not active before proves nothing by not being so afterwards.
  const before = expect(await app.introspect(second, token), 200)
  if (before.active !== true) throw new Error(`The ${kind} was not active before it was revoked.`)
  const signed = await Promise.all(Array.from({ length: RACING }, () => app.signMint(minter, API, more)))
  const racing = signed.map(question => ask(second.settings.port, question))
  // A mint takes some milliseconds: the revocation comes before, amid and after them.
  await sleep(Math.random() * SPREAD_MS)
  expect(await revoke(world, first, kind, subject), kind === 'suspend' ? 200 : 201)
  const [afterwards, known] = await Promise.all([app.mint(second, minter, API, more), app.introspect(second, token)])
  const raced = (await Promise.all(racing)).filter(({ status }) => status === 200)
  const tokens = await Promise.all(raced.map(answer => app.introspect(second, String(answer.body.access_token))))
  return {
    minted: afterwards.status === 200 ? 1 : 0,
    active: [known, ...tokens].filter(({ body }) => body.active === true).length,
    raced: raced.length,
    unanswered: [afterwards, known, ...tokens].filter(({ status }) => status === 0 || status >= 500).length,
  }
}

/** An agent of its own with a token: in a workflow where the kind speaks of one, of a client of its own for `client`. */
async function prepare(world: World, node: RemitNode, kind: Kind, name: string): Promise<Subject> {
  const app = kind === 'client' ? await addApp(node, world.anna, `app-${name}`) : world.app
  const agent = await addAgent(node, app, name)
  const inWorkflow = ['execution', 'initiator', 'workflow'].includes(kind)
  const named = inWorkflow ? { workflow_id: `flow-${name}`, workflow_step: 'work' } : undefined
  if (named) {
    const steps = [{ step_id: 'work', agent_id: name, required: true, repeatable: true }]
    expect(await app.register(node, '/intent/register/workflow', { workflow_id: named.workflow_id, steps }), 200)
  }
  const answer = expect(await app.mint(node, agent, API, named && { ...named, workflow_enabled: true }), 200)
  const token = String(answer.access_token)
  const claims = accessTokenClaimsSchema.parse(decodeJwt(token))
  const execution_id = claims.intent?.execution_id
  const own = { ...named, ...(execution_id !== undefined && { execution_id }) }
  const { minter, more } =
    kind === 'token' ? await delegate(node, app, agent, claims.jti, name) : { minter: agent, more: own }
  const { client_id } = app
  const ids: Readonly<Record<Kind, string>> = {
    agent: `${client_id}/${name}`,
    registration: claims.agent_proof?.registration_id ?? '',
    key: await thumbprintOf(agent.key.publicJwk),
    execution: execution_id ?? '',
    initiator: `agent:${client_id}:${name}`,
    workflow: `${client_id}/flow-${name}`,
    client: client_id,
    token: claims.jti,
    suspend: `${client_id}/${name}`,
  }
  return { app, minter, token, more, id: ids[kind] }
}

/** Another agent, to whom the holder of a token hands its task. */
async function delegate(node: RemitNode, app: Party, agent: Agent, parent_jti: string, name: string) {
  const minter = await addAgent(node, app, `${name}-hand`)
  const iat = epochSeconds(new Date())
  const delegation_assertion = await signDelegation(agent.key, {
    iss: agentSubject(app.client_id, name),
    sub: agentSubject(app.client_id, `${name}-hand`),
    aud: app.site.issuer,
    parent_jti,
    jkt: await thumbprintOf(minter.key.publicJwk),
    scope: 'read',
    resource: [API],
    iat,
    exp: iat + 600,
    jti: randomUUID(),
  })
  return { minter, more: { delegation_assertion } }
}

async function revoke({ anna }: World, node: RemitNode, kind: Kind, { id }: Subject): Promise<Reply> {
  const reason = 'a fault is tested'
  if (kind === 'suspend') return await anna.administer(node, `/agents/${id}/suspend`, { reason })
  return await anna.administer(node, '/revocations', { kind, id, reason })
}
