import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { ask, type Question } from '../ask.ts'
import { readTrail } from '../audit-book.ts'
import type { RemitNode } from '../node.ts'
import type { FaultPromise, Stage } from '../promise.ts'
import { Witness } from '../witness.ts'
import { API, startWorld, type World } from '../world.ts'

/** A proof is fresh for 60 s: a replay that comes later is refused for its age, and proves nothing. */
const FRESH_MS = 50_000
const IN_FLIGHT = 16

/** One signed request, how often it was answered with a token, and when it was signed. */
type Sent = { readonly question: Question; readonly signed: number; accepted: number }

/** R6: a signed request is good once, on whatever node, before and after whatever dies. */
export const noReplay: FaultPromise = {
  ids: ['R6'],
  title: 'the same request to two nodes, after kill -9, after a crash of Postgres, after the promotion of its standby',
  run: async stage => {
    const pairs = stage.short ? 60 : 600
    const world = await startWorld(stage.dir, stage.defer, { nodes: 2 })
    const { postgres, proxy, nodes } = world
    const [first, second] = nodes
    if (!first || !second) throw new Error('Two nodes are needed.')
    const standby = await postgres.addSynchronousStandby(stage.defer)
    await untilReady(nodes)
    const witness = await Witness.open(join(stage.dir, 'witness.jsonl'))
    const all: Sent[] = []
    let late = 0
    const replay = async (sent: readonly Sent[]) => {
      await untilReady(nodes)
      late += sent.filter(({ signed }) => performance.now() - signed > FRESH_MS).length
      for (const one of sent) await Promise.all(nodes.map(node => send(node, one, witness)))
      const [control] = await sign(world, 1)
      if (!control || !(await send(first, control, witness))) throw new Error('A new request is not taken, either.')
    }
    /** Requests that are taken before the fault, and some that are under way when it comes. */
    const through = async (name: string, fault: () => Promise<void>) => {
      stage.say(name)
      const taken = await sign(world, IN_FLIGHT)
      for (const one of taken) await send(first, one, witness)
      const flying = await sign(world, IN_FLIGHT)
      const flights = flying.map(one => send(first, one, witness))
      await fault()
      await Promise.all(flights)
      all.push(...taken, ...flying)
      await replay([...taken, ...flying])
    }
    for (let n = 0; n < pairs; n += IN_FLIGHT) {
      const sent = await sign(world, Math.min(IN_FLIGHT, pairs - n))
      await Promise.all(sent.flatMap(one => nodes.map(node => send(node, one, witness))))
      all.push(...sent)
    }
    await through('kill -9 of a node', async () => {
      await first.kill()
      await first.start()
    })
    await through('crash of Postgres', async () => {
      await postgres.kill()
      await postgres.start()
    })
    await through('promotion of the standby', async () => {
      await postgres.kill()
      await standby.promote()
      proxy.turnTo(standby.port)
      proxy.cut()
    })
    return [await judge(stage, world, witness, all, late)]
  },
}

async function judge(
  stage: Stage,
  { otto, nodes: [node] }: World,
  witness: Witness,
  all: readonly Sent[],
  late: number,
) {
  await witness.close()
  if (!node) throw new Error('There is no node.')
  const jtis = (await witness.read()).map(({ id }) => id)
  await stage.book.compare('R6', jtis, await readTrail(node, otto))
  const doubles = all.filter(({ accepted }) => accepted > 1).length
  const once = all.filter(({ accepted }) => accepted === 1).length
  return {
    id: 'R6',
    figure: `${doubles} double accepts of ${all.length} requests sent two to four times (${once} taken once, ${late} replayed too late to count)`,
    ok: doubles === 0 && late === 0 && once >= all.length / 2,
  }
}

/** Half of them mints of an agent, half a client's own. */
async function sign({ app, solo }: World, count: number): Promise<readonly Sent[]> {
  const signing = Array.from({ length: count }, async (_, n) => {
    const question =
      n % 2 === 0 ? await app.signMint(solo, API) : await app.signClientToken({ resource: API, scope: 'read' })
    return { question, signed: performance.now(), accepted: 0 }
  })
  return await Promise.all(signing)
}

/** @returns whether it was answered with a token */
async function send(node: RemitNode, sent: Sent, witness: Witness): Promise<boolean> {
  const { status, body } = await ask(node.settings.port, sent.question)
  if (status !== 200) return false
  sent.accepted += 1
  await witness.saw({ kind: 'token', id: decodeJwt(String(body.access_token)).jti ?? '' })
  return true
}

async function untilReady(nodes: readonly RemitNode[]): Promise<void> {
  await Promise.all(nodes.map(node => node.untilReady()))
}
