import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Reply } from '../ask.ts'
import type { FaultPromise } from '../promise.ts'
import { API, startWorld } from '../world.ts'

const CLOCK = fileURLToPath(new URL('../shifted-clock.ts', import.meta.url))
const WITHIN_MS = 8_000

/** R14: a node whose clock is far from the database's mints nothing, says so, and goes on when it is set right. */
export const wrongClock: FaultPromise = {
  ids: ['R14'],
  title: 'the clock of one of two nodes jumps: 8 s, 40 s ahead and behind, 10 minutes ahead, and back',
  run: async stage => {
    const world = await startWorld(stage.dir, stage.defer, { nodes: 2 })
    const { app, solo, dir } = world
    const [wrong, right] = world.nodes
    if (!wrong || !right) throw new Error('Two nodes are needed.')
    const file = join(dir, 'clock')
    await writeFile(file, '0')
    await wrong.stop()
    await wrong.start({ NODE_OPTIONS: `--import=${CLOCK}`, FAULTS_CLOCK_FILE: file })
    const jump = async (seconds: number) => {
      await writeFile(file, String(seconds * 1_000))
      wrong.signal('SIGUSR2')
    }
    /** @returns milliseconds until a mint at the node is answered so, undefined where it never was */
    const until = async (isSo: (reply: Reply) => boolean) => {
      const began = performance.now()
      for (;;) {
        if (isSo(await app.mint(wrong, solo, API))) return performance.now() - began
        if (performance.now() - began > WITHIN_MS) return undefined
        await sleep(50)
      }
    }
    const mints = ({ status }: Reply) => status === 200
    const stopped = ({ status }: Reply) => status === 503
    const faults: string[] = []
    let checks = 0
    const check = (what: string, holds: boolean) => {
      checks += 1
      if (!holds) faults.push(what)
    }
    const times: number[] = []
    const must = async (what: string, isSo: (reply: Reply) => boolean) => {
      const took = await until(isSo)
      check(what, took !== undefined)
      times.push(took ?? WITHIN_MS)
      stage.say(`${what}: ${took === undefined ? 'no' : `after ${Math.round(took)} ms`}`)
    }
    for (const seconds of [40, 600, -40]) {
      await jump(seconds)
      await must(`${seconds} s: no token`, stopped)
      await sleep(1_500)
      check(`${seconds} s: ready`, !(await wrong.isReady()))
      check(`${seconds} s: the other node does not mint`, mints(await app.mint(right, solo, API)))
      await jump(0)
      await must('back: tokens', mints)
    }
    await jump(8)
    await must('8 s: tokens', mints)
    await sleep(2_500)
    check('8 s: no alarm', wrong.log.includes('the clock is apart'))
    return [
      {
        id: 'R14',
        figure: `${faults.length} of ${checks} wrong${faults.map(fault => `, ${fault}`).join('')}; noticed within ${Math.round(Math.max(0, ...times))} ms`,
        ok: faults.length === 0,
      },
    ]
  },
}
