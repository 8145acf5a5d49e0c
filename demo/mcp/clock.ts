/**
 * Milliseconds of the monotonic clock of this machine: what two processes on it measure can be laid side by side, as
 * `performance.now()`, which begins with each process, cannot.
 */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
