import type { Selectable } from 'kysely'
import type { Grant } from '../../protocol/agent.ts'
import type { Context } from '../context.ts'
import type { AgentTable } from './schema.ts'

export type Agent = Selectable<AgentTable>
type NewAgent = Pick<Agent, 'client_id' | 'agent_id' | 'status' | 'access' | 'outside_workflow' | 'created_at'>

export const AGENT_COLUMNS = [
  'agent.client_id',
  'agent.agent_id',
  'agent.status',
  'agent.access',
  'agent.outside_workflow',
  'agent.suspended_by',
  'agent.suspended_owner',
  'agent.suspended_at',
  'agent.suspend_reason',
  'agent.created_at',
] as const

/** One agent of one client, revoked ones too (primary key). */
export async function findAgent(ctx: Context, client_id: string, agent_id: string): Promise<Agent | undefined> {
  return await ctx.db
    .selectFrom('agent')
    .select(AGENT_COLUMNS)
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .executeTakeFirst()
}

/** Several agents are locked in the order of these: ids that differ only in case lock one another (agent_id_caseless). */
export function agentLockName(client_id: string, agent_id: string): string {
  return `${client_id}/${agent_id.toLowerCase()}`
}

/** `findAgent` with the row locked until the transaction ends: one change of an agent at a time. */
export async function lockAgent(tx: Context, client_id: string, agent_id: string): Promise<Agent | undefined> {
  return await tx.db
    .selectFrom('agent')
    .select(AGENT_COLUMNS)
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .forUpdate()
    .executeTakeFirst()
}

/** Which of these ids are agents of the client that are not revoked (primary key). */
export async function knownAgentIds(
  ctx: Context,
  client_id: string,
  agent_ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (agent_ids.length === 0) return new Set()
  const rows = await ctx.db
    .selectFrom('agent')
    .select('agent_id')
    .where('client_id', '=', client_id)
    .where('agent_id', 'in', agent_ids)
    .where('status', '<>', 'revoked')
    .orderBy('agent_id')
    .limit(256)
    .execute()
  return new Set(rows.map(row => row.agent_id))
}

/** @returns false where the id, or one that differs only in case, is taken (agent primary key, agent_id_caseless) */
export async function insertAgent(tx: Context, row: NewAgent): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('agent')
    .values({ ...row, access: JSON.stringify(row.access) })
    .onConflict(conflict => conflict.doNothing())
    .returning('agent_id')
    .executeTakeFirst()
  return inserted !== undefined
}

export async function updateGrant(tx: Context, client_id: string, agent_id: string, grant: Grant): Promise<void> {
  await tx.db
    .updateTable('agent')
    .set({ access: JSON.stringify(grant.access), outside_workflow: grant.outside_workflow })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .execute()
}

/** @returns false where the agent is not active */
export async function suspendAgent(
  tx: Context,
  { client_id, agent_id }: Pick<Agent, 'client_id' | 'agent_id'>,
  by: { suspended_by: string; suspended_owner: string; suspended_at: Date; suspend_reason: string },
): Promise<boolean> {
  const updated = await tx.db
    .updateTable('agent')
    .set({ status: 'suspended', ...by })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'active')
    .returning('agent_id')
    .executeTakeFirst()
  return updated !== undefined
}

/** Who suspended stays in the audit trail, not in the row. @returns false where the agent is not suspended */
export async function resumeAgent(
  tx: Context,
  { client_id, agent_id }: Pick<Agent, 'client_id' | 'agent_id'>,
): Promise<boolean> {
  const updated = await tx.db
    .updateTable('agent')
    .set({ status: 'active', suspended_by: null, suspended_owner: null, suspended_at: null, suspend_reason: null })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'suspended')
    .returning('agent_id')
    .executeTakeFirst()
  return updated !== undefined
}

/** Revoked is final (protocol.md section 9). @returns false where there is no such agent */
export async function revokeAgent(tx: Context, client_id: string, agent_id: string): Promise<boolean> {
  const updated = await tx.db
    .updateTable('agent')
    .set({ status: 'revoked' })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .returning('agent_id')
    .executeTakeFirst()
  return updated !== undefined
}
