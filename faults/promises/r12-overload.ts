import { overloadRun } from '../../test/overload/run.ts'
import type { FaultPromise } from '../promise.ts'

const GOOD_P99_MS = 1_000
const REFUSAL_P50_MS = 100

/** R12: beside a flood of three times what it can, sockets that dawdle and queries that hang, a server stays useful. */
export const overload: FaultPromise = {
  ids: ['R12'],
  title: 'a good client beside a flood of three times the capacity, 200 slow-loris sockets and 64 slow queries',
  run: async ({ short, say }) => {
    const { capacity, good, flood, slow, health } = await overloadRun(short ? 5 : 20)
    const unanswered = flood.others.length
    say(
      `capacity ${Math.round(capacity)}/s; slow ones ${JSON.stringify(slow.statuses)}; probes p99 ${Math.round(health.p99)} ms`,
    )
    for (const line of flood.others.slice(0, 5)) say(line)
    return [
      {
        id: 'R12',
        figure: `good p99 ${Math.round(good.p99)} ms, ${good.failed} of ${good.sent} failed; of ${flood.sent} of the flood ${flood.tokens} got a token and ${flood.refused} a refusal, half of them within ${Math.round(flood.refusalP50)} ms; ${health.failed} probes failed`,
        ok:
          good.p99 < GOOD_P99_MS &&
          good.failed <= good.sent * 0.05 &&
          unanswered === 0 &&
          flood.refused > 0 &&
          flood.refusalP50 < REFUSAL_P50_MS &&
          health.failed === 0 &&
          Object.keys(slow.statuses).every(status => status === '503'),
      },
    ]
  },
}
