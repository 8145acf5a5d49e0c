import { type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
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

const RECORD = 60

/**
 * What mints must know of their executions, in one statement: the steps in the record and the approvals of its own step,
 * those that its present entry has used and those of the same arguments that none has (primary key of execution_step,
 * index approval_by_execution).
 */
export const findExecutionRecord = together(RECORD, async (ctx: Context, asked: readonly AskedRecord[]) => {
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
})
