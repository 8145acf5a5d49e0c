import { setTimeout as sleep } from 'node:timers/promises'

/** Fast shutdown first; then without a checkpoint; then, for one that is frozen, by force. */
const STEPS = [
  { signal: 'SIGINT', polls: 1_000 },
  { signal: 'SIGQUIT', polls: 250 },
  { signal: 'SIGKILL', polls: 250 },
] as const
const POLL_MILLISECONDS = 20

/** Ends a postmaster and waits until it is gone: 20 s to finish in order, then harder. False if it would not go. */
export async function shutDown(pid: number, isGone: () => boolean): Promise<boolean> {
  for (const { signal, polls } of STEPS) {
    if (!isGone()) send(pid, signal)
    for (let poll = 0; poll < polls && !isGone(); poll += 1) await sleep(POLL_MILLISECONDS)
    if (isGone()) return true
  }
  return false
}

/** Whether a process of this number lives, ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone in between, or not ours to signal: the caller sees which.
  }
}
