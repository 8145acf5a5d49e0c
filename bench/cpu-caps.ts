import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'

/** Holds processes to a part of a core; `undo` lets go of them again. */
export type Caps = { readonly cap: (pid: number, cores: number) => void; readonly undo: () => void }

const PERIOD_US = 100_000
const [V2, V1] = ['/sys/fs/cgroup', '/sys/fs/cgroup/cpu']

/** Groups of this program's own below a writable cgroup v2 or v1 with a cpu controller, or the reason why there are none. */
export function openCaps(): Caps | { readonly reason: string } {
  const version = existsSync(`${V2}/cgroup.controllers`) ? 2 : existsSync(`${V1}/cpu.cfs_quota_us`) ? 1 : undefined
  if (!version) return { reason: 'no cgroup with a cpu controller is mounted in /sys/fs/cgroup' }
  const root = version === 2 ? V2 : V1
  const groups: string[] = []
  const open = (cores: number) => {
    const group = `${root}/remit-bench-${process.pid}-${groups.length}`
    mkdirSync(group)
    groups.push(group)
    const quota = Math.round(cores * PERIOD_US)
    if (version === 2) writeFileSync(`${group}/cpu.max`, `${quota} ${PERIOD_US}`)
    else writeFileSync(`${group}/cpu.cfs_quota_us`, String(quota))
    return group
  }
  const undo = () => {
    for (const group of groups.splice(0)) {
      for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
        writeFileSync(`${root}/cgroup.procs`, pid)
      }
      rmdirSync(group)
    }
  }
  try {
    if (version === 2) writeFileSync(`${root}/cgroup.subtree_control`, '+cpu')
    open(1)
    undo()
  } catch (error) {
    return { reason: `the cgroup of ${root} is not ours to change: ${error instanceof Error ? error.message : error}` }
  }
  return { cap: (pid, cores) => writeFileSync(`${open(cores)}/cgroup.procs`, String(pid)), undo }
}
