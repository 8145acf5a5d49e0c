import { sql } from 'kysely'
import type { Context } from '../context.ts'
import { insertRevocations, type RevocationAct } from './revocations.ts'

/**
 * Ends each live token of a workflow that none of its executions covers, however many, with an entry of its own: the
 * revocation of a workflow is sent as these and its executions (protocol.md section 9; indexes token_by_workflow,
 * revocation_standing). Only under the exclusive gate, when the entries of its executions are written.
 */
export async function revokeTokensOfWorkflow(
  tx: Context,
  { client_id, workflow_id }: { readonly client_id: string; readonly workflow_id: string },
  act: RevocationAct,
): Promise<void> {
  const { now } = act
  const { rows } = await sql<{ jti: string }>`
    select jti from token
      where client_id = ${client_id} and workflow_id = ${workflow_id} and expires_at > ${now}
        and not exists (
          select 1 from revocation
            where kind = 'execution' and id = token.execution_id and lifted_at is null and ends_at > ${now}
        )
      order by jti`.execute(tx.db)
  const entries = rows.map(({ jti }) => ({ kind: 'token' as const, id: jti }))
  await insertRevocations(tx, entries, act)
}
