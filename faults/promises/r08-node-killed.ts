import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../demo/remit-server.ts'
import { ask } from '../ask.ts'
import { Balancer } from '../balancer.ts'
import { startLoad, statuses } from '../load.ts'
import type { FaultPromise } from '../promise.ts'
import { API, startWorld } from '../world.ts'

const TAIL_MS = 3_000
const LIMIT_MS = 1_000

/** R8: a node that is killed costs its own share, for less than a second; the others do not notice. */
export const nodeKilled: FaultPromise = {
  ids: ['R8'],
  title: 'kill -9 of one of two nodes, under load through a balancer and beside it',
  run: async stage => {
    const [rounds, rate] = stage.short ? [2, 20] : [10, 100]
    const issuerPort = await freePort()
    const world = await startWorld(stage.dir, stage.defer, { nodes: 2, issuerPort })
    const { app, solo, nodes } = world
    const [victim, other] = nodes
    if (!victim || !other) throw new Error('Two nodes are needed.')
    const balancer = await Balancer.start(issuerPort, nodes)
    stage.defer(() => balancer.stop())
    let [longest, failures, unaffected, sent, sentBeside] = [0, 0, 0, 0, 0]
    let restart = 0
    for (let round = 0; round < rounds; round += 1) {
      let n = 0
      // Every second request on a connection of its own: what is kept notices a dead node only once.
      const shared = startLoad(rate, async () => {
        n += 1
        return await ask(issuerPort, { ...(await app.signMint(solo, API)), fresh: n % 2 === 0 })
      })
      const beside = startLoad(rate / 2, () => app.mint(other, solo, API))
      await sleep(1_000)
      const killed = shared.now()
      await victim.kill()
      await sleep(TAIL_MS)
      const own = await shared.stop()
      const others = await beside.stop()
      const failed = own.filter(({ status }) => status !== 200)
      stage.say(`through the balancer ${statuses(own)}; at the other node ${statuses(others)}`)
      longest = failed.reduce((last, { at, ms }) => Math.max(last, at + ms - killed), longest)
      failures += failed.length
      unaffected += others.filter(({ status }) => status !== 200).length
      sent += own.length
      sentBeside += others.length
      const began = performance.now()
      await victim.start()
      restart = Math.max(restart, performance.now() - began)
      while (balancer.ready < nodes.length) await sleep(50)
    }
    return [
      {
        id: 'R8',
        figure: `${failures} of ${sent} failed, the last ${Math.round(longest)} ms after the kill; ${unaffected} of ${sentBeside} at the other node; the node is back in ${Math.round(restart)} ms`,
        ok: sent > 0 && sentBeside > 0 && longest < LIMIT_MS && unaffected === 0,
      },
    ]
  },
}
