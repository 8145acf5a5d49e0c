import { type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import { type HeldExecution, lockExecutions } from './executions.ts'
import type { ApprovalTable, ExecutionStepTable } from './schema-execution.ts'
import { together } from './together.ts'

type RecordedStep = Pick<Selectable<ExecutionStepTable>, 'step_id' | 'state' | 'entries' | 'tokens'>
type RecordedApproval = Pick<Selectable<ApprovalTable>, 'approval_id' | 'arguments_digest' | 'status' | 'entry'>
export type Recorded = { readonly steps: readonly RecordedStep[]; readonly approvals: readonly RecordedApproval[] }

export type AskedRecord = {
  readonly execution_id: string
  readonly step_id: string
  readonly arguments_digest: string | null
}

/**
 * What mints must know of their executions, in one statement: the steps in the record and the approvals of its own step,
 * those that its present entry has used and those of the same arguments that none has (primary key of execution_step,
 * index approval_by_execution).
 */
async function readRecords(ctx: Context, asked: readonly AskedRecord[]): Promise<readonly Recorded[]> {
  const { rows } = await sql<Recorded>`
    select
      coalesce((select json_agg(step) from (
        select step_id, state, entries, tokens from execution_step
          where execution_id = asked.execution_id order by step_id limit 256) as step), '[]') as steps,
      coalesce((select json_agg(approval) from (
        select approval_id, arguments_digest, status, entry from approval
          where execution_id = asked.execution_id and step_id = asked.step_id
            and (entry is null and arguments_digest is not distinct from asked.arguments_digest
              or entry = (select entries from execution_step
                where execution_id = asked.execution_id and step_id = asked.step_id))
          order by opened_at desc, approval_id limit 1001) as approval), '[]') as approvals
      from unnest(${asked.map(one => one.execution_id)}::text[], ${asked.map(one => one.step_id)}::text[],
          ${asked.map(one => one.arguments_digest)}::text[])
        with ordinality as asked(execution_id, step_id, arguments_digest, n)
      order by asked.n limit ${asked.length}`.execute(ctx.db)
  return rows
}

const READ = 1

export const findExecutionRecord = together(READ, readRecords)

const LOCK = 55

/**
 * In a mint's write: the record as it is once the execution is held, which other mints in it wait for until this
 * transaction ends. The record's statement is sent behind the lock's without waiting, and sees all that was committed
 * before the lock was had.
 */
export const lockExecutionRecord = together(LOCK, async (tx: Context, asked: readonly AskedRecord[]) => {
  const held = lockExecutions(tx, [...new Set(asked.map(one => one.execution_id))])
  const [executions, records] = await Promise.all([held, readRecords(tx, asked)])
  const found = new Map(executions.map(execution => [execution.execution_id, execution]))
  return records.map((recorded, n): LockedRecord => ({ execution: found.get(asked[n]?.execution_id ?? ''), recorded }))
})

export type LockedRecord = { readonly execution: HeldExecution | undefined; readonly recorded: Recorded }
