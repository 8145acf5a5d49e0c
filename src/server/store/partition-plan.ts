import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import { firstTimeIdAt } from '../../protocol/time-id.ts'

export type PartitionedTable = 'replay' | 'token' | 'audit_event'

/** A range of time in epoch seconds, its end not in it; infinite where it has no end on that side. */
export type TimeRange = { readonly from: number; readonly to: number }
export type Partition = TimeRange & { readonly table: PartitionedTable }

/** How a table is cut, in seconds. */
export type PartitionPlan = {
  readonly table: PartitionedTable
  /** Of a partition; one that is there already may be of another width. */
  readonly width: number
  /** How far ahead of the clock partitions are there. */
  readonly ahead: number
  /** How long after its range a partition is dropped; for ever without it. */
  readonly kept?: number
}

const HOUR = 3_600
const DAY = 86_400

/**
 * Less than CLAIMS_KEPT - 2 * CLOCKS_AGREE_SECONDS, so that no node makes a range again that another has dropped: claims
 * in it would be fresh. More than CLOCKS_AGREE_SECONDS, so that the first node makes what a slower one needs.
 */
const BEHIND = 45
/** Clocks of nodes may differ by this much before a node stops minting (reliability.md R14), and once more for rest. */
const CLAIMS_KEPT = 120

/** Beyond so many days a partition of the audit trail is a month: a statement that looks everywhere locks every one. */
const DAILY_UP_TO_DAYS = 92

/** `auditDays`: how long the audit trail is kept; for ever without it. The widths: docs/adr/0025-partitions.md. */
export function partitionPlans(auditDays: number | undefined): readonly PartitionPlan[] {
  const daily = auditDays !== undefined && auditDays <= DAILY_UP_TO_DAYS
  return [
    { table: 'replay', width: 600, ahead: 2 * HOUR, kept: CLAIMS_KEPT },
    // Nothing delegated from a token lives longer than that after it.
    { table: 'token', width: DAY, ahead: 2 * DAY, kept: 2 * EXECUTION_LIFETIME_MAX },
    {
      table: 'audit_event',
      width: daily ? DAY : 30 * DAY,
      ahead: 2 * DAY,
      ...(auditDays !== undefined && { kept: auditDays * DAY }),
    },
  ]
}

/** What has to be made: every gap from the clock on, for as long as the plan looks ahead. `now` in epoch seconds. */
export function missingOf(
  { table, width, ahead }: PartitionPlan,
  existing: readonly Partition[],
  now: number,
): readonly Partition[] {
  const there = existing.filter(partition => partition.table === table).toSorted((a, b) => a.from - b.from)
  const missing: Partition[] = []
  let at = Math.floor((now - BEHIND) / width) * width
  while (at < now + ahead) {
    const start = at
    const covering = there.find(({ from, to }) => from <= start && start < to)
    if (covering) {
      at = covering.to
      continue
    }
    const next = there.find(({ from }) => from > start)?.from ?? Number.POSITIVE_INFINITY
    at = Math.min((Math.floor(start / width) + 1) * width, next)
    missing.push({ table, from: start, to: at })
  }
  return missing
}

/** What a server that runs must have made by now: its turns to do so are far less than this apart, in seconds. */
const OVERDUE = 60

/** `missingOf` without what a running server has only just come to. */
export function overdueOf(plan: PartitionPlan, existing: readonly Partition[], now: number): readonly Partition[] {
  return missingOf({ ...plan, ahead: plan.ahead - OVERDUE }, existing, now)
}

/** What nobody can need any more, oldest first. `now` in epoch seconds. */
export function passedOf(
  { table, kept = Number.POSITIVE_INFINITY }: PartitionPlan,
  existing: readonly Partition[],
  now: number,
): readonly Partition[] {
  return existing
    .filter(partition => partition.table === table && partition.to + kept < now)
    .toSorted((a, b) => a.to - b.to)
}

/** A partition is named by its range, so that nothing has to be read out of its definition. */
export function partitionName({ table, from, to }: Partition): string {
  return `${table}_${Number.isFinite(from) ? from : 'min'}_${Number.isFinite(to) ? to : 'max'}`
}

/** Undefined for a name that is not ours. */
export function parsePartition(name: string): Partition | undefined {
  const [, text, from, to] = /^(replay|token|audit_event)_(min|\d{1,15})_(max|\d{1,15})$/.exec(name) ?? []
  const table = TABLES.find(known => known === text)
  if (table === undefined) return undefined
  return {
    table,
    from: from === 'min' ? Number.NEGATIVE_INFINITY : Number(from),
    to: to === 'max' ? Number.POSITIVE_INFINITY : Number(to),
  }
}

export const TABLES = ['replay', 'token', 'audit_event'] as const satisfies readonly PartitionedTable[]

/** The value of the partition key at an instant: an id begins with its time. Null where there is no end. */
export function boundOf(table: PartitionedTable, seconds: number): string | null {
  if (!Number.isFinite(seconds)) return null
  const at = new Date(seconds * 1000)
  return table === 'audit_event' ? firstTimeIdAt(at) : at.toISOString()
}
