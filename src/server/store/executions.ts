import { type Insertable, type Selectable, sql } from 'kysely'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import type { ExecutionStepTable, ExecutionTable } from './schema-execution.ts'

export type ExecutionRow = Selectable<ExecutionTable>
export type ExecutionStepRow = Selectable<ExecutionStepTable>

export const EXECUTION_COLUMNS = [
  'execution.execution_id',
  'execution.client_id',
  'execution.workflow_id',
  'execution.workflow_version',
  'execution.initiated_by',
  'execution.access',
  'execution.intent_digest',
  'execution.limits',
  'execution.opening',
  'execution.opened_by',
  'execution.opened_at',
  'execution.expires_at',
  'execution.status',
  'execution.ended_at',
  'execution.tokens',
] as const

const STEP_COLUMNS = ['execution_id', 'step_id', 'state', 'entries', 'tokens', 'entered_at', 'left_at'] as const

/** An execution with the steps of the version that it is pinned to. */
export type PinnedExecution = ExecutionRow & { readonly steps: readonly WorkflowStep[] }

/** One execution (primary keys of execution and workflow_version). */
export async function findExecution(ctx: Context, execution_id: string): Promise<PinnedExecution | undefined> {
  const row = await pinned(ctx).where('execution.execution_id', '=', execution_id).executeTakeFirst()
  return row && withSteps(row)
}

/** The execution that the same opening made before (index execution_opening). */
export async function findExecutionByOpening(
  ctx: Context,
  client_id: string,
  opening: Buffer,
): Promise<PinnedExecution | undefined> {
  const row = await pinned(ctx)
    .where('execution.client_id', '=', client_id)
    .where('execution.opening', '=', opening)
    .executeTakeFirst()
  return row && withSteps(row)
}

/** What counts of it now, held until the transaction ends: mints of one execution come one after the other. */
export async function lockExecution(
  tx: Context,
  execution_id: string,
): Promise<Pick<ExecutionRow, 'status' | 'expires_at' | 'tokens'> | undefined> {
  return await tx.db
    .selectFrom('execution')
    .select(['status', 'expires_at', 'tokens'])
    .where('execution_id', '=', execution_id)
    .forUpdate()
    .executeTakeFirst()
}

/** @returns false where the same opening made one before */
export async function insertExecution(tx: Context, row: Insertable<ExecutionTable>): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('execution')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .returning('execution_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** The record of an execution: what was entered or granted, in the order of step ids (primary key). */
export async function findExecutionSteps(ctx: Context, execution_id: string): Promise<readonly ExecutionStepRow[]> {
  return await ctx.db
    .selectFrom('execution_step')
    .select(STEP_COLUMNS)
    .where('execution_id', '=', execution_id)
    .orderBy('step_id')
    .limit(256)
    .execute()
}

/** One mint in a step: counts it, enters the step where it is `entered` anew, leaves others. Behind the lock. */
export async function recordEntry(
  tx: Context,
  entry: {
    execution_id: string
    step_id: string
    entry: number
    how: 'entered' | 'renewed'
    leaves: readonly string[]
  },
  now: Date,
): Promise<void> {
  const { execution_id, step_id } = entry
  await sql`
    with counted as (
      update execution set tokens = tokens + 1 where execution_id = ${execution_id}
    ), left_behind as (
      update execution_step set state = 'left', left_at = ${now}
        where execution_id = ${execution_id} and step_id = any(${[...entry.leaves]}::text[]) and state = 'entered'
    )
    insert into execution_step (execution_id, step_id, state, entries, tokens, entered_at)
      values (${execution_id}, ${step_id}, 'entered', ${entry.entry}, 1, ${now})
      on conflict (execution_id, step_id) do update set
        state = 'entered', left_at = null, entries = excluded.entries,
        tokens = case when ${entry.how === 'renewed'} then execution_step.tokens + 1 else 1 end,
        entered_at = case when ${entry.how === 'renewed'} then execution_step.entered_at else excluded.entered_at end
  `.execute(tx.db)
}

/** Puts gates in the record because an approval that they guard was granted. Behind the execution's lock. */
export async function grantGates(
  tx: Context,
  execution_id: string,
  gates: readonly string[],
  now: Date,
): Promise<void> {
  if (gates.length === 0) return
  await tx.db
    .insertInto('execution_step')
    .values(
      gates.map(step_id => ({
        ...{ execution_id, step_id, state: 'granted' as const },
        ...{ entries: 1, tokens: 0, entered_at: now, left_at: null },
      })),
    )
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

function pinned(ctx: Context) {
  return ctx.db
    .selectFrom('execution')
    .innerJoin('workflow_version', join =>
      join
        .onRef('workflow_version.client_id', '=', 'execution.client_id')
        .onRef('workflow_version.workflow_id', '=', 'execution.workflow_id')
        .onRef('workflow_version.version', '=', 'execution.workflow_version'),
    )
    .select([...EXECUTION_COLUMNS, 'workflow_version.definition'])
}

function withSteps<Row extends { definition: { steps: readonly WorkflowStep[] } }>({ definition, ...row }: Row) {
  return { ...row, steps: definition.steps }
}
