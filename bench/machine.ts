import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { CONNECTIONS } from './load/closed-loop.ts'

/** On what, and how, it was measured. */
export type Machine = {
  readonly cores: number
  readonly processor: string
  readonly memory_bytes: number
  readonly kernel: string
  readonly node: string
  readonly oidc_provider: string
  readonly connections: number
  /** Of each server of ours. */
  readonly workers: readonly number[]
  /** Runnable processes as the run began: far from 0 means that others had the processors too. */
  readonly load_before: number
  readonly postgres: Readonly<Record<string, string>>
}

export function machineFacts(postgres: Machine['postgres'], workers: Machine['workers']): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memory_bytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    oidc_provider: versionOf('oidc-provider'),
    connections: CONNECTIONS,
    workers,
    load_before: loadavg()[0] ?? 0,
    postgres,
  }
}

function versionOf(name: string): string {
  const text = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown'
}
