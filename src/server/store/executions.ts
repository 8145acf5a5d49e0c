import { type Insertable, type Selectable, sql } from 'kysely'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import type { ExecutionStepTable, ExecutionTable } from './schema-execution.ts'
import { atCommit, together } from './together.ts'

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

const READ = 1

/** Executions (primary keys of execution and workflow_version). */
export const findExecution = together(READ, async (ctx: Context, execution_ids: readonly string[]) => {
  const rows = await pinned(ctx)
    .where(sql<boolean>`execution.execution_id = any(${[...execution_ids]}::text[])`)
    .orderBy('execution.execution_id')
    .limit(execution_ids.length)
    .execute()
  const found = new Map(rows.map(row => [row.execution_id, row]))
  return execution_ids.map((execution_id): PinnedExecution | undefined => {
    const row = found.get(execution_id)
    return row && withSteps(row)
  })
})

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

/** What counts of an execution now. */
export type HeldExecution = Pick<Selectable<ExecutionTable>, 'execution_id' | 'status' | 'expires_at' | 'tokens'>

/**
 * What counts of executions now, held until the transaction ends: mints of one execution come one after the other. In
 * the order of their ids, so that two batches never wait for each other crosswise (primary key).
 */
export async function lockExecutions(tx: Context, execution_ids: readonly string[]): Promise<readonly HeldExecution[]> {
  const { rows } = await sql<HeldExecution>`
    select execution_id, status, expires_at, tokens from execution where execution_id = any(${execution_ids}::text[])
      order by execution_id limit ${execution_ids.length} for update`.execute(tx.db)
  return rows
}

export async function lockExecution(tx: Context, execution_id: string): Promise<HeldExecution | undefined> {
  const [execution] = await lockExecutions(tx, [execution_id])
  return execution
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

const ENTER = 70

type Entry = {
  readonly execution_id: string
  readonly step_id: string
  readonly entry: number
  readonly how: 'entered' | 'renewed'
  readonly leaves: readonly string[]
  readonly now: Date
}

/**
 * Mints in steps, one an execution: counts each, enters the step where it is `entered` anew, leaves others. Behind the
 * executions' locks.
 */
export const recordEntry = atCommit(ENTER, (entries: readonly Entry[]) => {
  const left = entries.flatMap(({ execution_id, leaves }) => leaves.map(step_id => ({ execution_id, step_id })))
  return sql`
    with entry as (
      select * from json_to_recordset(${JSON.stringify(entries)}::json)
        as row(execution_id text, step_id text, entry integer, how text, now timestamptz)
    ), counted as (
      update execution set tokens = execution.tokens + 1 from entry where execution.execution_id = entry.execution_id
    ), left_behind as (
      update execution_step set state = 'left', left_at = entry.now
        from entry, unnest(${left.map(step => step.execution_id)}::text[], ${left.map(step => step.step_id)}::text[])
          as behind(execution_id, step_id)
        where entry.execution_id = behind.execution_id and execution_step.execution_id = behind.execution_id
          and execution_step.step_id = behind.step_id and execution_step.state = 'entered'
    ), renewed as (
      update execution_step set tokens = execution_step.tokens + 1
        from entry
        where entry.how = 'renewed' and execution_step.execution_id = entry.execution_id
          and execution_step.step_id = entry.step_id
    )
    insert into execution_step (execution_id, step_id, state, entries, tokens, entered_at)
      select execution_id, step_id, 'entered', entry, 1, now from entry where how = 'entered'
      on conflict (execution_id, step_id) do update set
        state = 'entered', left_at = null, entries = excluded.entries, tokens = 1, entered_at = excluded.entered_at`
})

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
