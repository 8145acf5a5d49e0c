import { type Insertable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { DelegationTable } from './schema-execution.ts'
import { together } from './together.ts'

export type FirstPresentation = {
  readonly row: Omit<Insertable<DelegationTable>, 'chain'> & { readonly chain: readonly string[] }
  /** How often its parent token may be delegated from. */
  readonly max_children: number
}

/** What stood in the way: as many children as there may be, or what its delegator presented under this `jti`. */
export type Unrecorded = { readonly children: number; readonly presented_id: string | undefined }

const FIRST = 45

const COLUMNS = [
  ...['delegation_id', 'client_id', 'delegator', 'delegate', 'jti', 'parent_jti', 'parent_delegation_id'],
  ...['execution_id', 'workflow_step', 'delegator_jkt', 'jkt', 'scope', 'resource', 'chain', 'assertion'],
  ...['issued_at', 'expires_at', 'presented_at'],
] as const satisfies readonly (keyof DelegationTable)[]
const NAMES = sql.join(COLUMNS.map(name => sql.ref(name)))

/**
 * Records first presentations; RETURNING decides. Sent without waiting in between: all parent tokens are held first, so
 * that what is delegated from one is counted one after the other, then all assertions, each in an order of their own, so
 * that two batches never wait crosswise. @returns undefined where it was recorded
 */
export const recordPresentation = together(FIRST, async (tx: Context, asked: readonly FirstPresentation[]) => {
  const inOrder = asked.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const held = holdParents(tx, [...new Set(asked.map(({ row }) => row.parent_jti))])
  const inserted = await Promise.all([held, ...inOrder.map(one => insert(tx, one))]).then(([, ...ids]) => ids)
  const recorded = new Set(inserted)
  return await Promise.all(
    asked.map(async one => (recorded.has(one.row.delegation_id) ? undefined : await findUnrecorded(tx, one))),
  )
})

function nameOf({ row }: FirstPresentation): string {
  return `${row.delegator}|${row.jti}`
}

async function holdParents(tx: Context, jtis: readonly string[]): Promise<void> {
  await sql`select from token where jti = any(${jtis}::text[]) order by jti collate "C" for update`.execute(tx.db)
}

/** Counted up to what there may be (index delegation_by_parent), by a snapshot taken when the parent was held. */
async function insert(tx: Context, { row, max_children }: FirstPresentation): Promise<string | undefined> {
  const { rows } = await sql<{ delegation_id: string }>`
    insert into delegation (${NAMES})
      select ${NAMES} from json_populate_record(null::delegation, ${JSON.stringify(row)}::json)
        where ${childrenOf(row.parent_jti, max_children)} < ${max_children}
      on conflict do nothing
      returning delegation_id`.execute(tx.db)
  return rows[0]?.delegation_id
}

/** By unique index on delegator, jti. */
async function findUnrecorded(tx: Context, { row, max_children }: FirstPresentation): Promise<Unrecorded> {
  const { rows } = await sql<{ children: number; presented_id: string | null }>`
    select ${childrenOf(row.parent_jti, max_children)} as children,
      (select delegation_id from delegation where delegator = ${row.delegator} and jti = ${row.jti}) as presented_id
    `.execute(tx.db)
  return { children: rows[0]?.children ?? 0, presented_id: rows[0]?.presented_id ?? undefined }
}

function childrenOf(parent_jti: string, most: number) {
  return sql`(select count(*)::int from (select from delegation where parent_jti = ${parent_jti} limit ${most}) as child)`
}
