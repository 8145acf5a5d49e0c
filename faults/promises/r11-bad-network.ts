import { setTimeout as sleep } from 'node:timers/promises'
import { fastest, slowest, startLoad, statuses } from '../load.ts'
import type { FaultPromise } from '../promise.ts'
import { API, startWorld } from '../world.ts'

const RATE = 20
const ANSWER_MS = 3_000
/** After this long nothing of the dead connections is left. */
const SETTLED_MS = 5_000
const DELAY_MS = 100

/** R11-network: connections that die unheard cost a wait and no more; a database that is far away costs time alone. */
export const badNetwork: FaultPromise = {
  ids: ['R11-network'],
  title: 'every connection to the database half open, then a database 0.2 s away, under load',
  run: async stage => {
    const seconds = stage.short ? 8 : 30
    const { app, solo, proxy, nodes } = await startWorld(stage.dir, stage.defer)
    const [node] = nodes
    if (!node) throw new Error('There is no node.')
    const load = startLoad(RATE, () => app.mint(node, solo, API))
    await sleep(2_000)
    const broken = load.now()
    const count = proxy.halfOpen()
    await sleep(seconds * 1_000)
    const far = load.now()
    proxy.delay(DELAY_MS)
    await sleep(seconds * 1_000)
    const near = load.now()
    proxy.heal()
    await sleep(SETTLED_MS)
    const shots = await load.stop()
    const late = shots.reduce((last, { at, status }) => (status === 200 ? last : Math.max(last, at - broken)), 0)
    const away = shots.filter(({ at }) => at > far && at < near - ANSWER_MS)
    stage.say(`${statuses(shots)}; ${count} half open; far away ${statuses(away)}`)
    const isAnswered = shots.every(({ status, ms }) => (status === 200 || status === 503) && ms <= ANSWER_MS)
    return [
      {
        id: 'R11-network',
        figure: `${count} half open: slowest answer ${Math.round(slowest(shots))} ms, all 200 ${Math.round(late)} ms after; 0.2 s away: ${away.length} tokens, the fastest in ${Math.round(fastest(away))} ms`,
        ok: isAnswered && count > 0 && late < SETTLED_MS && away.length > 0 && fastest(away) > 2 * DELAY_MS,
      },
    ]
  },
}
