import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../demo/remit-server.ts'
import { ask } from '../ask.ts'
import { Balancer } from '../balancer.ts'
import { startLoad, statuses } from '../load.ts'
import type { FaultPromise } from '../promise.ts'
import { API, startWorld } from '../world.ts'

const BETWEEN_MS = 1_000
/** As in production: so long a node says that it is not ready before it stops listening. */
const DRAIN = { REMIT_DRAIN_SECONDS: '5' }

/** R7: nodes that are restarted one after another cost nobody a request. */
export const rollingRestart: FaultPromise = {
  ids: ['R7'],
  title: 'SIGTERM and start of each of two nodes, behind a balancer that asks /readyz and repeats nothing',
  run: async stage => {
    const [rounds, rate] = stage.short ? [1, 100] : [5, 300]
    const issuerPort = await freePort()
    const world = await startWorld(stage.dir, stage.defer, { nodes: 2, issuerPort, env: DRAIN })
    const { app, solo, nodes } = world
    const balancer = await Balancer.start(issuerPort, nodes)
    stage.defer(() => balancer.stop())
    let n = 0
    // Every second request on a connection of its own, the others on connections that are kept.
    const load = startLoad(rate, async () => {
      n += 1
      return await ask(issuerPort, { ...(await app.signMint(solo, API)), fresh: n % 2 === 0 })
    })
    await sleep(BETWEEN_MS)
    const exits: string[] = []
    for (let round = 0; round < rounds; round += 1) {
      for (const node of nodes) {
        exits.push(await node.stop())
        await node.start()
        while (balancer.ready < nodes.length) await sleep(20)
        await sleep(BETWEEN_MS)
      }
    }
    const shots = await load.stop()
    stage.say(statuses(shots))
    const errors = shots.filter(({ status }) => status >= 500).length
    const resets = shots.filter(({ status }) => status === 0).length
    const orderly = exits.every(exit => exit === '0')
    return [
      {
        id: 'R7',
        figure: `${errors} answers of 5xx and ${resets} resets in ${shots.length} requests at ${rate}/s over ${exits.length} restarts${orderly ? '' : `; exits ${exits.join(' ')}`}`,
        ok: shots.every(({ status }) => status === 200) && orderly && shots.length > 0,
      },
    ]
  },
}
