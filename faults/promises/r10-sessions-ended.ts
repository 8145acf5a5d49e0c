import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import type { Reply } from '../ask.ts'
import { readTrail } from '../audit-book.ts'
import { startLoad, statuses } from '../load.ts'
import type { FaultPromise } from '../promise.ts'
import { Witness } from '../witness.ts'
import { API, startWorld } from '../world.ts'

const EVERY_MS = 200
const RECOVERY_MS = 2_000
const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity
  where application_name like 'remit%' and pid <> pg_backend_pid()`

/** R10: whatever Postgres does to our sessions, the process lives, says 503, and is back at once. */
export const sessionsEnded: FaultPromise = {
  ids: ['R10'],
  title: 'pg_terminate_backend of all sessions again and again, then a restart of Postgres, under load',
  run: async stage => {
    const [seconds, rate] = stage.short ? [10, 40] : [60, 200]
    const world = await startWorld(stage.dir, stage.defer)
    const { app, solo, postgres, otto } = world
    const [node] = world.nodes
    if (!node) throw new Error('There is no node.')
    const witness = await Witness.open(join(stage.dir, 'witness.jsonl'))
    const load = startLoad(rate, async () => await witnessed(witness, await app.mint(node, solo, API)))
    let ended = 0
    for (const until = load.now() + seconds * 1000; load.now() < until; await sleep(EVERY_MS)) {
      ended += (await postgres.query(TERMINATE)).length
    }
    const afterSessions = load.now()
    await sleep(RECOVERY_MS + 1_000)
    await postgres.stop()
    await sleep(500)
    await postgres.start()
    const afterRestart = load.now()
    await sleep(RECOVERY_MS + 1_000)
    const shots = await load.stop()
    await witness.close()
    const jtis = (await witness.read()).map(({ id }) => id)
    await stage.book.compare('R10', jtis, await readTrail(node, otto))
    const other = shots.filter(({ status }) => status !== 200 && status !== 503)
    const recoveries = [afterSessions, afterRestart].map(since => {
      // From this instant on everything succeeds, until the next fault.
      const span = shots.filter(({ at }) => at >= since && at < since + RECOVERY_MS + 900)
      return span.reduce((last, { at, status }) => (status === 200 ? last : Math.max(last, at - since)), 0)
    })
    const longest = Math.max(...recoveries)
    return [
      {
        id: 'R10',
        figure: `back ${Math.round(longest)} ms after the last fault; ${ended} sessions ended; ${statuses(shots)}; process ${node.running ? 'lives' : 'ended'}`,
        ok:
          node.running &&
          ended > 0 &&
          other.length === 0 &&
          longest <= RECOVERY_MS &&
          shots.some(({ status }) => status === 200),
      },
    ]
  },
}

async function witnessed(witness: Witness, reply: Reply): Promise<Reply> {
  if (reply.status === 200) {
    await witness.saw({ kind: 'token', id: decodeJwt(String(reply.body.access_token)).jti ?? '' })
  }
  return reply
}
