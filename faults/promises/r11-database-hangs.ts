import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from '../ask.ts'
import { type Load, slowest, startLoad, statuses } from '../load.ts'
import type { RemitNode } from '../node.ts'
import type { FaultPromise } from '../promise.ts'
import { API, startWorld, type World } from '../world.ts'

const ANSWER_MS = 3_000
const UNREADY_MS = 5_000
const RECOVERY_MS = 5_000
/** More than garbage waits to be collected. */
const GROWTH_MB = 64
const POLL_MS = 100

/** R11: a database that hangs, or a network that swallows, makes 503 in time and no heap of requests. */
export const databaseHangs: FaultPromise = {
  ids: ['R11'],
  title: 'SIGSTOP of Postgres, then a network that lets nothing through, under load',
  run: async stage => {
    const [seconds, rate] = stage.short ? [6, 40] : [60, 100]
    const world = await startWorld(stage.dir, stage.defer)
    const { postgres, proxy } = world
    const hangs = [
      { name: 'SIGSTOP', begin: () => postgres.signal('SIGSTOP'), end: () => postgres.signal('SIGCONT') },
      { name: 'black hole', begin: async () => proxy.blackHole(), end: async () => proxy.heal() },
    ]
    const figures: string[] = []
    let ok = true
    for (const { name, begin, end } of hangs) {
      stage.defer(end)
      const seen = await hang(world, { rate, seconds, begin, end })
      stage.say(`${name}: ${seen.codes}; JWKS ${seen.jwks}`)
      ok &&= seen.ok
      figures.push(
        `${name}: slowest answer ${Math.round(seen.slowest)} ms, not ready after ${Math.round(seen.unready)} ms, memory +${Math.round(seen.growth)} MB, back ${Math.round(seen.back)} ms after`,
      )
    }
    return [{ id: 'R11', figure: figures.join('; '), ok }]
  },
}

type Hang = {
  readonly rate: number
  readonly seconds: number
  readonly begin: () => Promise<void>
  readonly end: () => Promise<void>
}

async function hang({ app, solo, site, nodes: [node] }: World, { rate, seconds, begin, end }: Hang) {
  if (!node) throw new Error('There is no node.')
  const load = startLoad(rate, () => app.mint(node, solo, API))
  await sleep(2_000)
  const before = await node.memory()
  await begin()
  const since = load.now()
  const unready = await untilReadiness(node, load, since, false)
  await sleep(Math.max(0, since + seconds * 1_000 - load.now()))
  const headers = { Host: new URL(site.issuer).host }
  const jwks = await ask(node.settings.port, { method: 'GET', path: '/.well-known/jwks.json', headers })
  const growth = (await node.memory()) - before
  await end()
  const healed = load.now()
  await untilReadiness(node, load, healed, true)
  await sleep(RECOVERY_MS)
  const shots = await load.stop()
  // What began a moment before may still have been answered with a token.
  const during = shots.filter(({ at }) => at > since + 100 && at < healed - ANSWER_MS)
  const back = shots.reduce((last, { at, status }) => (at < healed || status === 200 ? last : at - healed), 0)
  const wrong = during.filter(({ status }) => status !== 503).length
  const slow = slowest(during)
  return {
    ...{ unready, growth, back, slowest: slow, codes: statuses(shots), jwks: jwks.status },
    ok:
      wrong === 0 &&
      during.length > 0 &&
      slow <= ANSWER_MS &&
      unready <= UNREADY_MS &&
      growth < GROWTH_MB &&
      back < RECOVERY_MS &&
      jwks.status === 200,
  }
}

/** @returns milliseconds until `/readyz` says so */
async function untilReadiness(node: RemitNode, load: Load, since: number, ready: boolean): Promise<number> {
  const until = since + 30_000
  while ((await node.isReady()) !== ready && load.now() < until) await sleep(POLL_MS)
  return load.now() - since
}
