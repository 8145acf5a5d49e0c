import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import type { Agent } from '../demo/agents.ts'
import type { Reply } from './ask.ts'
import type { RemitNode } from './node.ts'
import { expect, type Party } from './party.ts'
import type { Witness } from './witness.ts'
import { API, newAgent, registration, type World } from './world.ts'

/** What the writers met; the acknowledged is in the witness file and nowhere else. */
export type Tally = {
  /** Attempts that were not answered, or with 503. */
  failed: number
  /** Retries whose answer said that the failed attempt had committed. */
  hidden: number
  /** Answers that no promise allows, the first few of them. */
  readonly wrong: string[]
}

export type Writers = {
  readonly world: World
  readonly node: RemitNode
  /** The app whose registrations wait for an approval. */
  readonly careful: Party
  readonly witness: Witness
  readonly tally: Tally
  readonly stopped: () => boolean
}

const PAUSE_MS = 25
const LONGEST_PAUSE_MS = 200
/** Attempts of one call; a server is away for some seconds at a time. */
const ATTEMPTS = 400
const KEPT = 10

/** Writers of every kind, which go on until they are stopped and finish what they have begun. */
export async function write(writers: Writers, each: number): Promise<void> {
  const kinds = [registrations, workflows, tokens, revocations]
  const loops = kinds.flatMap((kind, k) => {
    return Array.from({ length: each }, async (_, n) => {
      for (let i = 0; !writers.stopped(); i += 1) await kind(writers, `${k}-${n}-${i}`)
    })
  })
  await Promise.all(loops)
}

async function registrations({ careful, node, world, ...writers }: Writers, name: string): Promise<void> {
  const agent = await newAgent(`a-${name}`)
  const { agent_id } = agent.components
  const registered = await persist(writers, 200, () => {
    return careful.register(
      node,
      '/intent/register/agent',
      registration(careful, agent),
      `register ${name}`.replace(' ', '-'),
    )
  })
  if (!registered) return
  const registration_id = String(registered.body.registration_id)
  await writers.witness.saw({ kind: 'registration', id: registration_id, of: agent_id })
  const approval = { registration_id, checksum: `sha256:${agent.checksum}` }
  const path = `/agents/${careful.client_id}/${agent_id}/approve`
  const approved = await persist(writers, 200, () => {
    return world.otto.administer(node, path, approval, `approve-${name}`)
  })
  if (approved) await writers.witness.saw({ kind: 'approval', id: registration_id, of: agent_id })
}

async function workflows({ node, world, ...writers }: Writers, name: string): Promise<void> {
  const workflow_id = `w-${name}`
  const body = { workflow_id, steps: [{ step_id: 'work', agent_id: 'planner', required: true }] }
  const answer = await persist(writers, 200, () => {
    return world.app.register(node, '/intent/register/workflow', body, `workflow-${name}`)
  })
  if (answer) await writers.witness.saw({ kind: 'workflow', id: workflow_id })
}

async function tokens(writers: Writers, _name: string): Promise<void> {
  const { node, world } = writers
  await mintOnce(writers, () => world.app.mint(node, world.solo, API))
}

async function revocations(writers: Writers, name: string): Promise<void> {
  const { node, world } = writers
  const jti = await mintOnce(writers, () => world.app.mint(node, world.solo, API))
  if (jti === undefined) return
  const body = { kind: 'token', id: jti, reason: 'a fault is tested' }
  const answer = await persist(writers, 201, () => {
    return world.anna.administer(node, '/revocations', body, `revoke-${name}`)
  })
  if (answer) await writers.witness.saw({ kind: 'revocation', id: jti })
}

/** One mint, and, where it fails, another with new signatures: it has no Idempotency-Key. @returns the witnessed jti */
export async function mintOnce(
  writers: Pick<Writers, 'witness' | 'tally'>,
  attempt: () => Promise<Reply>,
): Promise<string | undefined> {
  const answer = await persist(writers, 200, attempt)
  if (!answer) return undefined
  const { jti } = decodeJwt(String(answer.body.access_token))
  if (jti === undefined) throw new Error('A token has a jti.')
  await writers.witness.saw({ kind: 'token', id: jti })
  return jti
}

/** Repeats a call, the same Idempotency-Key each time, until it is answered. Undefined for an answer that is wrong. */
async function persist(
  { tally }: Pick<Writers, 'tally'>,
  expected: number,
  attempt: () => Promise<Reply>,
): Promise<Reply | undefined> {
  for (let failures = 0; ; failures += 1) {
    const answer = await attempt()
    if (answer.status === expected) {
      if (answer.headers['idempotency-replayed'] === 'true') tally.hidden += 1
      return answer
    }
    if (answer.status !== 0 && answer.status !== 503) {
      if (tally.wrong.length < KEPT)
        tally.wrong.push(`${answer.status} ${JSON.stringify(answer.body)} after ${failures}`)
      return undefined
    }
    tally.failed += 1
    if (failures === ATTEMPTS)
      throw new Error(`A call failed ${ATTEMPTS} times, at last with ${answer.failed ?? answer.status}.`)
    await sleep(Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** Math.min(failures, 8)))
  }
}

/** Sets up what the writers need beside the world. */
export async function addPlanner(node: RemitNode, app: Party): Promise<Agent> {
  const planner = await newAgent('planner')
  expect(await app.register(node, '/intent/register/agent', registration(app, planner)), 200)
  return planner
}
