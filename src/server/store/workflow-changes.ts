import type { Context } from '../context.ts'
import type { WorkflowRow, WorkflowVersionRow } from './workflows.ts'
import { WORKFLOW_COLUMNS } from './workflows.ts'

/** The workflow's row, made with version 0 (none counts yet) where it is new, locked until the transaction ends. */
export async function lockWorkflow(
  tx: Context,
  client_id: string,
  workflow_id: string,
  now: Date,
): Promise<WorkflowRow | undefined> {
  await tx.db
    .insertInto('workflow')
    .values({ client_id, workflow_id, version: 0, status: 'active', created_at: now })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  return await tx.db
    .selectFrom('workflow')
    .select(WORKFLOW_COLUMNS)
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .forUpdate()
    .executeTakeFirst()
}

export async function insertWorkflowVersion(tx: Context, row: WorkflowVersionRow): Promise<void> {
  await tx.db
    .insertInto('workflow_version')
    .values({ ...row, definition: JSON.stringify(row.definition), agent_ids: JSON.stringify(row.agent_ids) })
    .execute()
}

/** Makes a version the one that counts, and the workflow active: every older one, waiting or active, is superseded. */
export async function activateWorkflowVersion(
  tx: Context,
  version: { client_id: string; workflow_id: string; version: number },
  approval?: { approved_at: Date; approved_by: string },
): Promise<void> {
  await tx.db
    .updateTable('workflow_version')
    .set({ status: 'superseded' })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .where('version', '<', version.version)
    .where('status', 'in', ['pending', 'active'])
    .execute()
  await tx.db
    .updateTable('workflow_version')
    .set({ status: 'active', ...approval })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .where('version', '=', version.version)
    .execute()
  await tx.db
    .updateTable('workflow')
    .set({ version: version.version, status: 'active' })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .execute()
}

/** @returns false where the version is not pending */
export async function rejectWorkflowVersion(
  tx: Context,
  { client_id, workflow_id, version }: { client_id: string; workflow_id: string; version: number },
  rejection: { rejected_at: Date; rejected_by: string; reject_reason: string },
): Promise<boolean> {
  const rejected = await tx.db
    .updateTable('workflow_version')
    .set({ status: 'rejected', ...rejection })
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .where('version', '=', version)
    .where('status', '=', 'pending')
    .returning('version')
    .executeTakeFirst()
  return rejected !== undefined
}

/** Nothing is minted for it any more; a new version brings it back. Only under the exclusive gate. */
export async function deregisterWorkflow(tx: Context, client_id: string, workflow_id: string): Promise<void> {
  await stop(tx, client_id, workflow_id, 'deregistered')
}

/** As `deregisterWorkflow`, and only another owner's approval brings it back. @returns false where there is none */
export async function revokeWorkflow(tx: Context, client_id: string, workflow_id: string): Promise<boolean> {
  return await stop(tx, client_id, workflow_id, 'revoked')
}

/** What was proposed for it is withdrawn: an approval of the day before must not start it again. */
async function stop(
  tx: Context,
  client_id: string,
  workflow_id: string,
  status: 'deregistered' | 'revoked',
): Promise<boolean> {
  const stopped = await tx.db
    .updateTable('workflow')
    .set({ status })
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .returning('workflow_id')
    .executeTakeFirst()
  if (!stopped) return false
  await tx.db
    .updateTable('workflow_version')
    .set({ status: 'superseded' })
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .where('status', '=', 'pending')
    .execute()
  return true
}
