import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../src/protocol/json.ts'
import { countBy, readTrail } from '../audit-book.ts'
import type { RemitNode } from '../node.ts'
import { objectsIn, type Party } from '../party.ts'
import type { FaultPromise, Outcome, Stage } from '../promise.ts'
import { type Acknowledged, Witness } from '../witness.ts'
import { addApp, startWorld, type World } from '../world.ts'
import { addPlanner, type Tally, write } from '../writers.ts'

const EACH_KIND = 4
/** Kills come this long after everything runs again. */
const LIFE_MS = [100, 2_000] as const

/** R1: nothing acknowledged is lost by a kill; R3: an error never hides a commit. */
export const nothingLost: FaultPromise = {
  ids: ['R1', 'R3'],
  title: 'kill -9 of server and database under writers; every failed call is repeated with its key',
  run: async stage => {
    const [kills, acks] = stage.short ? [10, 500] : [50, 20_000]
    const world = await startWorld(stage.dir, stage.defer)
    const [node] = world.nodes
    if (!node) throw new Error('There is no node.')
    const careful = await addApp(node, world.anna, 'careful', { require_approval: true })
    await addPlanner(node, world.app)
    const witness = await Witness.open(join(stage.dir, 'witness.jsonl'))
    const tally: Tally = { failed: 0, hidden: 0, wrong: [] }
    let stopped = false
    const writing = write({ world, node, careful, witness, tally, stopped: () => stopped }, EACH_KIND)
    const killed = await killAgainAndAgain(stage, world, node, () => witness.count < acks, kills)
    stopped = true
    await writing
    await witness.close()
    return await judge(stage, world, node, careful, await witness.read(), tally, killed)
  },
}

/** Kills server and database in turn until both counts are reached. @returns how many kills it were */
async function killAgainAndAgain(
  stage: Stage,
  { postgres }: World,
  node: RemitNode,
  wantsMore: () => boolean,
  least: number,
): Promise<number> {
  const [shortest, longest] = LIFE_MS
  let kills = 0
  for (; kills < least || wantsMore(); kills += 1) {
    // Once there were kills enough, only the count of the acknowledged is still short.
    await sleep(kills < least ? shortest + Math.random() * (longest - shortest) : 2 * longest)
    if (kills % 2 === 0) {
      await node.kill()
      await node.start()
    } else {
      await postgres.kill()
      if (!node.running) throw new Error(`The server ended with its database: ${node.log.slice(-600)}`)
      await postgres.start()
    }
    if (kills % 10 === 9) stage.say(`${kills + 1} kills`)
  }
  await node.untilReady()
  return kills
}

async function judge(
  stage: Stage,
  world: World,
  node: RemitNode,
  careful: Party,
  seen: readonly Acknowledged[],
  tally: Tally,
  kills: number,
): Promise<readonly Outcome[]> {
  const { otto } = world
  const trail = await readTrail(node, otto)
  const lost = await findLost(world, node, careful, seen)
  await stage.book.compare('R1', idsOf(seen, 'token'), trail)
  const rows = countBy(trail, keyOfAct)
  const acts = seen.filter(({ kind }) => kind !== 'token')
  const notOnce = acts.filter(one => rows.get(actOf(one)) !== 1)
  // Also what was never acknowledged: its key was sent more than once all the same.
  const doubled = [...rows.values()].filter(count => count > 1).length
  for (const line of [...lost, ...tally.wrong].slice(0, 5)) stage.say(line)
  return [
    {
      id: 'R1',
      figure: `${lost.length} lost of ${seen.length} acknowledged in ${kills} kills`,
      ok: lost.length === 0 && seen.length > 0,
    },
    {
      id: 'R3',
      figure: `${notOnce.length + doubled} keys without exactly one row; ${tally.hidden} of ${tally.failed} failed attempts had committed; ${tally.wrong.length} wrong answers`,
      ok: tally.failed > 0 && notOnce.length + doubled === 0 && tally.wrong.length === 0,
    },
  ]
}

/** Compares the witness with what the API lists. */
async function findLost({ otto, app }: World, node: RemitNode, careful: Party, seen: readonly Acknowledged[]) {
  const lost: string[] = []
  const agents = await otto.list(node, `/agents/${careful.client_id}`)
  const listed = new Map(agents.map(agent => [String(agent.agent_id), agent]))
  for (const { kind, id, of = '' } of seen) {
    const agent = listed.get(of)
    if (kind === 'approval' && (agent?.registration_id !== id || agent.status !== 'active')) lost.push(`approval ${id}`)
    if (kind !== 'registration' || agent?.registration_id === id) continue
    const detail = await otto.administer(node, `/agents/${careful.client_id}/${of}`)
    const versions = objectsIn(detail.body.registrations)
    if (!versions.some(version => version.registration_id === id)) lost.push(`registration ${id}`)
  }
  const workflows = await otto.list(node, `/workflows/${app.client_id}`)
  lost.push(...missing(seen, 'workflow', workflows, 'workflow_id'))
  const revocations = await otto.list(node, '/revocations')
  lost.push(...missing(seen, 'revocation', revocations, 'id'))
  return lost
}

function missing(
  seen: readonly Acknowledged[],
  kind: Acknowledged['kind'],
  items: readonly JsonObject[],
  member: string,
) {
  const known = new Set(items.map(item => String(item[member])))
  return idsOf(seen, kind)
    .filter(id => !known.has(id))
    .map(id => `${kind} ${id}`)
}

function idsOf(seen: readonly Acknowledged[], kind: Acknowledged['kind']): readonly string[] {
  return seen.filter(one => one.kind === kind).map(({ id }) => id)
}

/** Whatever a key was sent for, by the audit row that it must have left once. */
function keyOfAct({ action, outcome, agent_id, details }: JsonObject): string | undefined {
  if (outcome !== 'success') return undefined
  const [told] = objectsIn([details])
  if (action === 'agent.register' || action === 'agent.approve') return `${action} ${agent_id}`
  if (action === 'workflow.register') return `${action} ${told?.workflow_id}`
  return action === 'revocation.create' ? `${action} ${told?.id}` : undefined
}

function actOf({ kind, id, of }: Acknowledged): string {
  if (kind === 'registration') return `agent.register ${of}`
  if (kind === 'approval') return `agent.approve ${of}`
  return kind === 'workflow' ? `workflow.register ${id}` : `revocation.create ${id}`
}
