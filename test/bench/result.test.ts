import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchPage } from '../../bench/bench-page.ts'
import { resultOf } from '../../bench/result.ts'
import { resultText } from '../../bench/result-text.ts'
import type { Round } from '../../bench/run-round.ts'

const PARTS = { server: 0.4, database: 0.2, generator: 0.02 }
const MACHINE = {
  ...{ cores: 2, processor: 'one', memory_bytes: 1, kernel: 'Linux', node: 'v26', oidc_provider: '9.13.3' },
  ...{
    connections: 32,
    workers: [2],
    load_before: 0,
    postgres: { fsync: 'on', synchronous_commit: 'on', server_version: '18' },
  },
}

function rounds(rate: number): readonly Round[] {
  const round = { rate, latencies: Float64Array.of(1, 2, 3), cpu: PARTS, memory: PARTS }
  return Array.from({ length: 15 }, () => round)
}

const result = resultOf(
  new Map([
    ['client_credentials', rounds(1_500)],
    ['client_credentials/bare', rounds(2_000)],
    ['client_credentials/oidc_provider', rounds(500)],
    ['agent', rounds(1_000)],
  ]),
  MACHINE,
  { remit: { per_second: 750, p50: 2, p99: 4, p999: 8 } },
)

test('--json has the two ratios of client_credentials, and each workload with its figures (issue 6)', () => {
  const { ratio_vs_bare, ratio_vs_oidc_provider, workloads, peers } = JSON.parse(JSON.stringify(result))
  assert.deepEqual({ ratio_vs_bare, ratio_vs_oidc_provider }, { ratio_vs_bare: 0.75, ratio_vs_oidc_provider: 3 })
  assert.deepEqual(Object.keys(peers), ['client_credentials/bare', 'client_credentials/oidc_provider'])
  assert.deepEqual(Object.keys(workloads), ['client_credentials', 'agent'])
  const { ratios, rounds: rates, ...figures } = workloads.agent
  assert.equal(rates.length, 15)
  assert.deepEqual(figures, {
    ...{ median: 1_000, interval: [1_000, 1_000], p50: 2, p99: 3, p999: 3 },
    ...{ cpu_ms_per_request: PARTS, rss: PARTS },
  })
  assert.deepEqual(ratios, [
    { of: 'agent', to: 'client_credentials/bare', median: 0.5, interval: [0.5, 0.5], bound: 0.6 },
    { of: 'agent', to: 'client_credentials/oidc_provider', median: 2, interval: [2, 2], bound: 1.8 },
  ])
})

test('a promise that is not kept is said to be so', () => {
  assert.match(resultText(result), /agent \/ client_credentials\/bare: 0\.500 .* at least 0\.6: NOT HELD/)
  assert.match(resultText(result), /agent \/ client_credentials\/oidc_provider: 2\.000 .* at least 1\.8: held/)
  assert.match(benchPage(result), /var\(--bad\)/)
})
