import type { Explanation } from '../../protocol/audit-views.ts'
import { Problem } from '../../protocol/problem.ts'
import { timeOfId } from '../../protocol/time-id.ts'
import type { Context } from '../context.ts'
import { findAuditRow, listAuditRows, type StoredAuditRow } from '../store/audit.ts'
import { findTokenStory } from '../store/explain.ts'
import { auditRowView } from './audit-views.ts'
import { fillCommand } from './explain-command.ts'
import { fact } from './explain-facts.ts'
import { explainRefusal, type Part } from './explain-refusal.ts'
import { explainToken } from './explain-token.ts'

const MOST_ROWS = 20
/** Counts of refusals without a caller are written once a second, a failing database later. */
const COUNT_MILLISECONDS = 10_000

/**
 * Which check decided, against what, and what mends it: for a token's `jti`, a row of the trail, or a request. Throws
 * Problem `not_found`.
 */
export async function explain(ctx: Context, id: string): Promise<Explanation> {
  if (timeOfId(id) === undefined) return await explainJti(ctx, id)
  const row = await findAuditRow(ctx, id)
  if (row) return explanation('audit', id, [row], await explainRow(ctx, row))
  const rows = await listAuditRows(ctx, { request_id: id }, { order: 'asc', limit: MOST_ROWS })
  const decisive = rows.findLast(({ outcome }) => outcome === 'refused') ?? rows.at(-1)
  if (decisive) return explanation('request', id, rows, await explainRow(ctx, decisive))
  return await explainCounted(ctx, id)
}

async function explainJti(ctx: Context, jti: string): Promise<Explanation> {
  const token = await findTokenStory(ctx, jti)
  const rows = await listAuditRows(ctx, { jti }, { order: 'asc', limit: MOST_ROWS })
  if (token) return explanation('token', jti, rows, await explainToken(ctx, token))
  const last = rows.at(-1)
  if (last) return explanation('token', jti, rows, explainAct(last))
  throw new Problem('not_found', 'No token, audit row or request has this id; give a jti, an audit id or a request id.')
}

async function explainRow(ctx: Context, row: StoredAuditRow): Promise<Part> {
  if (row.outcome === 'refused') return await explainRefusal(ctx, row)
  const token = row.action === 'token.issue' && row.jti !== null ? await findTokenStory(ctx, row.jti) : undefined
  return token ? await explainToken(ctx, token) : explainAct(row)
}

/** What was done, by whom, and who answers for it. */
function explainAct({ action, actor, at, client_id, agent_id, jti, details }: StoredAuditRow): Part {
  const known = Object.entries(details).filter(([, value]) => value !== null && value !== undefined)
  return {
    outcome: 'success',
    reason: null,
    check: `${actor} did ${action} at ${at.toISOString()}.`,
    facts: [
      fact('done by', actor),
      fact('action', action),
      ...(client_id === null ? [] : [fact('client_id', client_id)]),
      ...(agent_id === null ? [] : [fact('agent_id', agent_id)]),
      ...(jti === null ? [] : [fact('jti', jti)]),
      ...known.map(([name, value]) => fact(name, typeof value === 'string' ? value : JSON.stringify(value))),
    ],
    mend: 'Nothing needs to be done: the act was allowed.',
    command: null,
    error_uri: null,
  }
}

/** Nobody was authenticated: the request has no row of its own, but the count written right after it names the reason. */
async function explainCounted(ctx: Context, request_id: string): Promise<Explanation> {
  const since = timeOfId(request_id) ?? ctx.now()
  const until = new Date(since.getTime() + COUNT_MILLISECONDS)
  const filter = { action: 'request.refuse', since, until }
  const [row] = await listAuditRows(ctx, filter, { order: 'asc', limit: 1 })
  if (!row) {
    throw new Problem('not_found', 'No row bears this id; the log of the server has a line for every request id.')
  }
  const part = await explainRefusal(ctx, row)
  return explanation('request', request_id, [row], {
    ...part,
    check: `No row bears this request id. ${part.check} This is the count written next; the request is probably in it.`,
    facts: countsOf(row.details),
    command: fillCommand('remit audit show {audit_id}', { audit_id: row.id }),
  })
}

function countsOf({ counts }: StoredAuditRow['details']) {
  const entries: unknown[] = Array.isArray(counts) ? counts : []
  return entries.slice(0, MOST_ROWS).map((entry, at) => fact(`counted ${at + 1}`, JSON.stringify(entry)))
}

function explanation(kind: Explanation['kind'], id: string, rows: readonly StoredAuditRow[], part: Part): Explanation {
  return { kind, id, rows: rows.map(auditRowView), ...part }
}
