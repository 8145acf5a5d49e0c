import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../demo/remit-server.ts'
import { RemitNode } from '../node.ts'
import type { FaultPromise } from '../promise.ts'

const WITHIN_MS = 30_000

/** R19: the embedded database has one holder; a second server names it and goes, and a dead one is taken over. */
export const oneHolder: FaultPromise = {
  ids: ['R19'],
  title: 'a second server on one data directory, and another after kill -9 of the first',
  run: async ({ dir, defer }) => {
    const dataDir = join(dir, 'data')
    await mkdir(dataDir, { mode: 0o711 })
    const make = async () => {
      const node = new RemitNode({ port: await freePort(), adminPort: await freePort(), dataDir, env: {} })
      defer(() => node.kill())
      return node
    }
    defer(() => endOrphan(join(dataDir, 'postgres', 'postmaster.pid')))
    const first = await make()
    await first.start()
    const second = await make()
    second.launch()
    const ended = await Promise.race([second.ended, sleep(WITHIN_MS, 'nothing', { ref: false })])
    const named = second.log.includes(`process ${first.pid}`)
    const [held] = [first.running && (await first.isReady())]
    await first.kill()
    const began = performance.now()
    const third = await make()
    await third.start()
    const taken = performance.now() - began
    const stopped = await third.stop()
    return [
      {
        id: 'R19',
        figure: `the second ended with ${ended} and ${named ? 'named' : 'did not name'} the holder, which ${held ? 'went on' : 'did not go on'}; the dead holder was taken over in ${Math.round(taken)} ms`,
        ok: ended === '1' && named && held && stopped === '0',
      },
    ]
  },
}

/** Of a run that stopped half way: what a killed server left. */
async function endOrphan(pidFile: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
  if (!(pid > 0)) return
  process.kill(pid, 'SIGQUIT')
  for (let poll = 0; existsSync(pidFile) && poll < 200; poll += 1) await sleep(50)
}
