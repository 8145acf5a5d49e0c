import type { Figures } from './figures.ts'
import type { Ratio } from './ratios.ts'
import type { BenchResult } from './result.ts'

/** The result for people at a terminal. */
export function resultText({ workloads, peers, half_load, machine }: BenchResult): string {
  const figures: readonly (readonly [string, Figures])[] = [...Object.entries(workloads), ...Object.entries(peers)]
  return [
    `${machine.cores} cores, Node ${machine.node}, load before ${machine.load_before.toFixed(2)}, Postgres ${machine.postgres.server_version}`,
    `fsync ${machine.postgres.fsync}, full_page_writes ${machine.postgres.full_page_writes}, synchronous_commit ${machine.postgres.synchronous_commit}, ${machine.connections} connections, ${machine.workers} workers`,
    '',
    ...figures.map(line),
    '',
    ...Object.values(workloads).flatMap(({ ratios }) => ratios.map(ratioLine)),
    ...Object.entries(half_load ?? {}).map(
      ([peer, { per_second, p50, p99, p999 }]) =>
        `${peer} at ${per_second} a second, half of its peak: p50 ${p50}, p99 ${p99}, p99.9 ${p999} ms`,
    ),
  ].join('\n')
}

function ratioLine({ of, to, median, interval: [low, high], bound }: Ratio): string {
  const promise = bound === undefined ? '' : `  at least ${bound}: ${median >= bound ? 'held' : 'NOT HELD'}`
  return `${of} / ${to}: ${median.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]${promise}`
}

function line([name, { median, p50, p99, p999, cpu_ms_per_request, rss }]: readonly [string, Figures]): string {
  const { server, database, generator } = cpu_ms_per_request
  const cpu = `CPU ms: server ${server.toFixed(3)}, database ${database.toFixed(3)}, generator ${generator.toFixed(3)}`
  const memory = `MB: ${[rss.server, rss.database, rss.generator].map(bytes => Math.round(bytes / 2 ** 20)).join(', ')}`
  const latency = `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, p99.9 ${p999.toFixed(1)} ms`
  return `${name.padEnd(34)}${median.toFixed(0).padStart(7)}/s   ${latency}   ${cpu}   ${memory}`
}
