import { readdirSync, readFileSync } from 'node:fs'

/** Processor time of some processes in milliseconds, with that of children that they have waited for. */
export function processorTime(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // Fields 14 to 17 are utime, stime, cutime and cstime (proc(5)), in ticks of a hundredth of a second (man 3 sysconf).
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fieldsOf(pid).slice(11, 15).map(Number)
    return sum + (utime + stime + cutime + cstime) * 10
  }, 0)
}

/** Resident memory in bytes; what several of the processes share counts once (`Pss`). */
export function residentMemory(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [, kilobytes = '0'] = /^Pss: +(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`)) ?? []
    return sum + Number(kilobytes) * 1024
  }, 0)
}

/** A process and everything below it, except what is at or below `except`. */
export function tree(root: number, except?: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const parent = Number(fieldsOf(Number(name))[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const below = (pid: number): number[] =>
    pid === except ? [] : [pid, ...(children.get(pid) ?? []).flatMap(child => below(child))]
  return below(root)
}

export function isAlive(pid: number): boolean {
  return read(`/proc/${pid}/stat`) !== ''
}

/** Stops or continues processes; one that has ended meanwhile needs neither. */
export function signalAll(pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {}
  }
}

/** The fields of /proc/pid/stat after the name, which may hold anything: the first is field 3. */
function fieldsOf(pid: number): readonly string[] {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
