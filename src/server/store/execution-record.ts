import type { Selectable } from 'kysely'
import { jsonArrayFrom } from 'kysely/helpers/postgres'
import type { Context } from '../context.ts'
import type { ApprovalTable, ExecutionStepTable } from './schema-execution.ts'

type RecordedStep = Pick<Selectable<ExecutionStepTable>, 'step_id' | 'state' | 'entries' | 'tokens'>
type RecordedApproval = Pick<Selectable<ApprovalTable>, 'approval_id' | 'arguments_digest' | 'status' | 'entry'>

/**
 * What a mint must know of its execution, in one statement: the steps in the record and the approvals of its own step,
 * those that its present entry has used and those of the same arguments that none has (primary key of execution_step,
 * index approval_by_execution).
 */
export async function findExecutionRecord(
  ctx: Context,
  execution_id: string,
  { step_id, arguments_digest }: { readonly step_id: string; readonly arguments_digest: string | null },
): Promise<{ readonly steps: readonly RecordedStep[]; readonly approvals: readonly RecordedApproval[] }> {
  const steps = ctx.db
    .selectFrom('execution_step')
    .select(['step_id', 'state', 'entries', 'tokens'])
    .where('execution_id', '=', execution_id)
    .orderBy('step_id')
    .limit(256)
  const approvals = ctx.db
    .selectFrom('approval')
    .select(['approval_id', 'arguments_digest', 'status', 'entry'])
    .where('execution_id', '=', execution_id)
    .where('step_id', '=', step_id)
    .where(({ and, eb, or, selectFrom }) =>
      or([
        and([eb('entry', 'is', null), eb('arguments_digest', 'is not distinct from', arguments_digest)]),
        eb(
          'entry',
          '=',
          selectFrom('execution_step')
            .select('entries')
            .where('execution_id', '=', execution_id)
            .where('step_id', '=', step_id),
        ),
      ]),
    )
    .orderBy('opened_at', 'desc')
    .orderBy('approval_id')
    .limit(1_001)
  return await ctx.db
    .selectNoFrom([jsonArrayFrom(steps).as('steps'), jsonArrayFrom(approvals).as('approvals')])
    .executeTakeFirstOrThrow()
}
