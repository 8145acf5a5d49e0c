import { type Kysely, sql } from 'kysely'
import { epochSeconds } from '../../protocol/time.ts'
import { timeOfId } from '../../protocol/time-id.ts'
import { boundOf, type Partition, partitionName, partitionPlans } from './partition-plan.ts'
import { addPartition } from './partitions.ts'
import type { Database } from './schema.ts'

const RESTORED = ['token', 'audit_event'] as const

/**
 * Makes room for whatever rows a backup holds: a partition without ends. None in a schema before partitions.
 * @returns what to call when the rows are there
 */
export async function openForRestore(tx: Kysely<Database>): Promise<(not_before: Date) => Promise<void>> {
  if (!(await isPartitioned(tx))) return async () => {}
  for (const table of RESTORED) await addPartition(tx, endless(table))
  return async not_before => {
    for (const table of RESTORED) await settle(tx, table, not_before)
  }
}

/** What was restored becomes the first partition, up to the range after its last row; the server makes the rest. */
async function settle(tx: Kysely<Database>, table: (typeof RESTORED)[number], not_before: Date): Promise<void> {
  const width = partitionPlans(undefined).find(plan => plan.table === table)?.width ?? 1
  const last = Math.max(epochSeconds(not_before), epochSeconds(await lastTime(tx, table)))
  const restored: Partition = { table, from: Number.NEGATIVE_INFINITY, to: (Math.floor(last / width) + 1) * width }
  const name = partitionName(restored)
  await sql`alter table ${sql.table(table)} detach partition ${sql.table(partitionName(endless(table)))}`.execute(tx)
  await sql`alter table ${sql.table(partitionName(endless(table)))} rename to ${sql.table(name)}`.execute(tx)
  await sql`select remit_attach_partition(${table}::text, ${name}::text, null,
    ${boundOf(table, restored.to)}::text)`.execute(tx)
}

/** Index token_by_expiry; primary key of audit_event. */
async function lastTime(tx: Kysely<Database>, table: (typeof RESTORED)[number]): Promise<Date> {
  if (table === 'token') {
    const row = await tx
      .selectFrom('token')
      .select('expires_at')
      .orderBy('expires_at', 'desc')
      .limit(1)
      .executeTakeFirst()
    return row?.expires_at ?? new Date(0)
  }
  const row = await tx.selectFrom('audit_event').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst()
  return timeOfId(row?.id ?? '') ?? new Date(0)
}

function endless(table: (typeof RESTORED)[number]): Partition {
  return { table, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
}

async function isPartitioned(tx: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql<{ partitioned: boolean }>`
    select relkind = 'p' as partitioned from pg_class where oid = to_regclass('token')`.execute(tx)
  return rows[0]?.partitioned === true
}
