import type { Rounds } from './alternate.ts'
import { type Figures, figuresOf } from './figures.ts'
import type { HalfLoad } from './half-load.ts'
import type { Machine } from './machine.ts'
import { type Ratio, ratiosOf } from './ratios.ts'

/** What `--json` prints: medians of paired ratios of client_credentials first, then everything that they rest on. */
export type BenchResult = {
  readonly ratio_vs_oidc_provider: number | null
  readonly ratio_vs_bare: number | null
  readonly workloads: Readonly<Record<string, Figures & { readonly ratios: readonly Ratio[] }>>
  /** The same workloads at the others, by `workload/peer`. */
  readonly peers: Readonly<Record<string, Figures>>
  /** Latency at half of each peer's own peak of client_credentials; absent in a quick run. */
  readonly half_load?: Readonly<Record<string, HalfLoad>>
  readonly machine: Machine
}

export function resultOf(rounds: Rounds, machine: Machine, half_load?: BenchResult['half_load']): BenchResult {
  const ratios = ratiosOf(rounds)
  const all = [...rounds].map(([name, own]) => [name, figuresOf(own)] as const)
  const workloads = all
    .filter(([name]) => !isPeers(name))
    .map(([name, figures]) => [name, { ...figures, ratios: ratios.filter(({ of }) => of === name) }] as const)
  const against = (peer: string) =>
    ratios.find(({ of, to }) => of === 'client_credentials' && to === `${of}/${peer}`)?.median ?? null
  return {
    ratio_vs_oidc_provider: against('oidc_provider'),
    ratio_vs_bare: against('bare'),
    workloads: Object.fromEntries(workloads),
    peers: Object.fromEntries(all.filter(([name]) => isPeers(name))),
    ...(half_load && { half_load }),
    machine,
  }
}

function isPeers(name: string): boolean {
  return name.includes('/')
}
