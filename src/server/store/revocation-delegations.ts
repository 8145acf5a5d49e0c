import { sql } from 'kysely'
import { parseSubjectName } from '../../protocol/names.ts'
import type { Context } from '../context.ts'
import { type Coverage, matchesToken } from './revocation-coverage.ts'
import { entryEnd, type RevocationAct } from './revocations.ts'

/** What one statement ends: far below what a statement may take. */
const PIECE = 2_000

export type EndedDelegations = {
  /** Live tokens that were delegated and that the revocation does not itself match. */
  readonly tokens: number
  readonly delegations: number
}

/** `executions`: those that the same act revoked. */
export type DelegationCoverage = Coverage & { readonly executions?: readonly string[] }

/**
 * Ends what was delegated, at any depth, from tokens that a revocation matches, live or expired: each live token gets an
 * entry of its own (protocol.md section 9). `for_good` marks these and the delegations as well, because entries end after
 * minutes while a delegation is presented again for up to a day; a suspension does not, because it can be taken back.
 * Only under the exclusive gate, so that nothing is delegated meanwhile.
 */
export async function endDelegations(
  tx: Context,
  covered: DelegationCoverage,
  act: RevocationAct,
  { for_good }: { readonly for_good: boolean },
): Promise<EndedDelegations> {
  const ids = await coveredDelegations(tx, covered, act.now)
  let tokens = 0
  let delegations = 0
  for (let at = 0; at < ids.length; at += PIECE) {
    const piece = ids.slice(at, at + PIECE)
    tokens += await endTokensUnder(tx, piece, covered, act, for_good)
    if (for_good) delegations += await endForGood(tx, piece, act.now)
  }
  return { tokens, delegations }
}

/**
 * Delegations that have not expired and whose parent token is matched or descends from one that is; none expires before
 * one below it. All of them, because all must end (index delegation_by_above, and those of `beginsAt`).
 */
async function coveredDelegations(tx: Context, covered: DelegationCoverage, now: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ delegation_id: string }>`
    with recursive covered(delegation_id) as (
      select delegation.delegation_id from delegation left join token on token.jti = delegation.parent_jti
        where delegation.expires_at > ${now} and ${beginsAt(covered)}
      union
      select below.delegation_id from delegation below join covered on below.parent_delegation_id = covered.delegation_id
        where below.expires_at > ${now}
    )
    select delegation_id from covered order by delegation_id`.execute(tx.db)
  return rows.map(row => row.delegation_id)
}

/**
 * The condition on a row of `delegation` by which its parent token is matched. Each begins at an index: one parent
 * (delegation_by_parent), one execution (delegation_by_execution), what has not expired of one client
 * (delegation_by_client), or at all (delegation_by_expiry), and never at tokens, of which there may be millions.
 */
function beginsAt(covered: DelegationCoverage) {
  const { kind, ids, holder, executions = [] } = covered
  const [id = ''] = ids
  const [client_id = '', name = ''] = id.split('/')
  switch (kind) {
    case 'token':
      return sql<boolean>`delegation.parent_jti = ${id}`
    case 'execution':
      return sql<boolean>`delegation.execution_id = ${id}`
    case 'client':
      return sql<boolean>`delegation.client_id = ${id}`
    case 'agent':
      return sql<boolean>`delegation.client_id = ${client_id} and delegation.delegator = ${`agent:${client_id}:${name}`}`
    case 'workflow':
      return sql<boolean>`delegation.client_id = ${client_id} and ${matchesToken(covered)}`
    case 'registration':
      return sql<boolean>`${ofClient(holder?.client_id)} and ${matchesToken(covered)}`
    case 'initiator': {
      const subject = parseSubjectName(id)
      // A user begins nothing but executions.
      if (subject?.kind === 'user') return sql<boolean>`delegation.execution_id = any(${[...executions]}::text[])`
      return sql<boolean>`${ofClient(subject?.client_id)} and ${matchesToken(covered)}`
    }
    case 'key': {
      const keys = sql`any(${[...ids]}::text[])`
      return sql<boolean>`${ofClient(holder?.client_id)}
        and (delegation.delegator_jkt = ${keys} or delegation.jkt = ${keys} or token.kid = ${keys})`
    }
  }
}

function ofClient(client_id: string | undefined) {
  return client_id === undefined ? sql<boolean>`true` : sql<boolean>`delegation.client_id = ${client_id}`
}

/** Writes entries for the live tokens under these delegations that nothing ended for good (index token_by_delegation). */
async function endTokensUnder(
  tx: Context,
  delegation_ids: readonly string[],
  covered: Coverage,
  { reason, revoked_by, now }: RevocationAct,
  for_good: boolean,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with ended as (
      select jti from token
        where delegation_id = any(${[...delegation_ids]}::text[]) and expires_at > ${now} and revoked_at is null
          and (${matchesToken(covered)}) is not true
    ), marked as (
      update token set revoked_at = ${now} where ${for_good} and jti in (select jti from ended)
    ), written as (
      insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
      select 'token', jti, ${reason}, ${revoked_by}, ${now}::timestamptz, ${entryEnd(now)}::timestamptz from ended
      returning 1
    )
    select count(*)::int as count from written`.execute(tx.db)
  return rows[0]?.count ?? 0
}

/** @returns how many of these had not ended before */
async function endForGood(tx: Context, delegation_ids: readonly string[], now: Date): Promise<number> {
  const { numUpdatedRows } = await tx.db
    .updateTable('delegation')
    .set({ revoked_at: now })
    .where(sql<boolean>`delegation_id = any(${[...delegation_ids]}::text[])`)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}
