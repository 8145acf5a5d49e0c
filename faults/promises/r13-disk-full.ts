import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { readTrail } from '../audit-book.ts'
import { startLoad, statuses } from '../load.ts'
import type { PostgresServer } from '../postgres.ts'
import type { FaultPromise } from '../promise.ts'
import { Witness } from '../witness.ts'
import { API, startWorld } from '../world.ts'

const SIZE = '160m'
const LEFT = 64 * 1024
/** So that the log of writes itself needs new space soon. */
const SMALL = { min_wal_size: '32MB', max_wal_size: '32MB', checkpoint_timeout: '30s' }
const FULL_MS = 15_000
const RECOVERY_MS = 20_000
const RATE = 60

/** R13: a full disk is 503 and no more; when there is space again, everything goes on by itself and nothing is lost. */
export const diskFull: FaultPromise = {
  ids: ['R13'],
  title: 'Postgres on a file system of its own, which runs full under load and is emptied again',
  system: 'it mounts a file system, for which it must be root',
  run: async stage => {
    if (process.getuid?.() !== 0) {
      return [{ id: 'R13', figure: '', ok: true, skipped: 'only root may mount a file system' }]
    }
    const disk = join(stage.dir, 'disk')
    await mkdir(disk, { mode: 0o711 })
    const mounted = await promisify(execFile)('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${SIZE},mode=711`,
      'tmpfs',
      disk,
    ]).then(
      () => true,
      () => false,
    )
    if (!mounted) return [{ id: 'R13', figure: '', ok: true, skipped: 'this system does not let root mount a tmpfs' }]
    stage.defer(async () => {
      await promisify(execFile)('umount', ['-l', disk])
    })
    const world = await startWorld(stage.dir, stage.defer, { postgres: SMALL, postgresDir: join(disk, 'postgres') })
    const { app, solo, otto, postgres } = world
    const [node] = world.nodes
    if (!node) throw new Error('There is no node.')
    const witness = await Witness.open(join(stage.dir, 'witness.jsonl'))
    const load = startLoad(RATE, async () => {
      const reply = await app.mint(node, solo, API)
      if (reply.status === 200) {
        await witness.saw({ kind: 'token', id: decodeJwt(String(reply.body.access_token)).jti ?? '' })
      }
      return reply
    })
    const keeper = keepAlive(postgres)
    stage.defer(() => keeper.stop())
    await sleep(1_000)
    const { bavail, bsize } = await statfs(disk)
    await writeFile(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - LEFT)))
    await sleep(FULL_MS / 3)
    // Until here tables cannot grow; now the log of writes needs new files, for want of which Postgres ends itself.
    for (const until = load.now() + (FULL_MS * 2) / 3; load.now() < until; await sleep(250)) {
      await postgres.query('select pg_switch_wal()').catch(() => {})
    }
    const refused = load.shots.filter(({ status }) => status === 503).length
    await rm(join(disk, 'ballast'))
    const emptied = load.now()
    await sleep(RECOVERY_MS)
    const shots = await load.stop()
    await keeper.stop()
    await witness.close()
    const jtis = (await witness.read()).map(({ id }) => id)
    const { missing, doubled } = await stage.book.compare('R13', jtis, await readTrail(node, otto))
    const other = shots.filter(({ status }) => status !== 200 && status !== 503)
    const back = shots.reduce((last, { at, status }) => (status === 200 ? last : Math.max(last, at - emptied)), 0)
    stage.say(statuses(shots))
    return [
      {
        id: 'R13',
        figure: `${missing} of ${jtis.length} acknowledged tokens lost, ${refused} answers of 503 while it was full, back ${Math.round(back)} ms after there was space (Postgres was started ${keeper.starts()} times)`,
        ok:
          missing + doubled + other.length === 0 &&
          refused > 0 &&
          keeper.starts() > 0 &&
          node.running &&
          back < RECOVERY_MS - 1_000,
      },
    ]
  },
}

/** Starts Postgres again whenever it is gone, as a service manager does. */
function keepAlive(postgres: PostgresServer) {
  let [stopped, starts] = [false, 0]
  const loop = (async () => {
    for (; !stopped; await sleep(500)) {
      if (postgres.pid !== undefined) continue
      starts += 1
      await postgres.start().catch(() => {})
    }
  })()
  return {
    starts: () => starts,
    async stop() {
      stopped = true
      await loop
    },
  }
}
