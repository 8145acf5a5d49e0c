import { type Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import type { Session } from './session.ts'

export type AuditQuery = Readonly<Record<string, string>>

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** The options by which the trail is searched, as members of the query. */
const MEMBERS = {
  client: 'client_id',
  agent: 'agent_id',
  execution: 'execution_id',
  jti: 'jti',
  request: 'request_id',
  actor: 'actor',
  action: 'action',
  outcome: 'outcome',
  reason: 'reason',
} as const
const text = z.string().optional()
const filterOptions = z.object({
  client: text,
  agent: text,
  execution: text,
  jti: text,
  request: text,
  actor: text,
  action: text,
  outcome: text,
  reason: text,
  since: text,
  until: text,
})

export function addTimeOptions(command: Command): Command {
  return command
    .option('--since <time>', 'from then on: RFC 3339, or 90s, 30m, 2h, 7d, 4w ago', checkTime)
    .option('--until <time>', 'up to then, the same way', checkTime)
}

export function addFilterOptions(command: Command): Command {
  command
    .option('--client <id>', 'only about this client')
    .option('--agent <id>', 'only about this agent; with --client')
    .option('--execution <id>', 'only about this execution')
    .option('--jti <id>', 'only about this token')
    .option('--request <id>', 'only of this request')
    .option('--actor <name>', 'only done by this subject')
    .option('--action <name>', 'only this, such as token.issue or agent.approve')
    .addOption(new Option('--outcome <name>', 'only what went so').choices(['success', 'refused']))
    .option('--reason <name>', 'only refused for this reason')
  return addTimeOptions(command)
}

/** The query that the options of a command mean; words of time are counted from the clock of this machine. */
export function readFilter(session: Session, command: Command): AuditQuery {
  const options = filterOptions.parse(command.opts())
  const query: Record<string, string> = {}
  for (const [option, member] of Object.entries(MEMBERS)) {
    const value = new Map(Object.entries(options)).get(option)
    if (value !== undefined) query[member] = value
  }
  if (options.since !== undefined) query.since = instantOf(options.since, session.now()) ?? ''
  if (options.until !== undefined) query.until = instantOf(options.until, session.now()) ?? ''
  return query
}

/** RFC 3339 of a time as people write it: `2h` ago, a date, or a whole timestamp. Undefined for anything else. */
export function instantOf(time: string, now: Date): string | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(time) ?? []
  if (count !== undefined) {
    return new Date(now.getTime() - Number(count) * (UNIT_SECONDS[unit] ?? 0) * 1000).toISOString()
  }
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/.test(time)) return undefined
  const instant = new Date(time)
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString()
}

function checkTime(time: string): string {
  if (instantOf(time, new Date(0)) !== undefined) return time
  throw new InvalidArgumentError('Write it as 90s, 30m, 2h, 7d, 4w, 2026-01-31 or 2026-01-31T09:30:00Z.')
}
