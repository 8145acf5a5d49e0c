import { type Selectable, sql } from 'kysely'
import type { ChecksumProfile } from '../../protocol/agent.ts'
import type { Context } from '../context.ts'
import type { AgentName } from './agent-lists.ts'
import type { RegistrationTable } from './schema.ts'

/** A version without its sealed components: what all but component reads need. */
export type RegistrationRow = Omit<Selectable<RegistrationTable>, 'components_sealed'>
export type ValidRegistration = Pick<
  RegistrationRow,
  'registration_id' | 'version' | 'checksum' | 'checksum_profile' | 'status' | 'drains_until'
>

const COLUMNS = [
  'registration_id',
  'client_id',
  'agent_id',
  'version',
  'checksum',
  'checksum_profile',
  'content_digest',
  'status',
  'drain_seconds',
  'drains_until',
  'proposed_grant',
  'proposed_keys',
  'registered_at',
  'registered_by',
  'registered_owner',
  'registered_client',
  'registered_client_owner',
  'approved_at',
  'approved_by',
  'pending_for',
  'rejected_at',
  'rejected_by',
  'reject_reason',
] as const

/** More versions than anybody registers while one drains; those beyond stop early. */
export const MOST_VALID = 256

/** States in which a version counts, waits or drains. */
export const LIVE = ['pending', 'active', 'draining'] as const

/** Whether a version counts: active, or draining still. */
export function isValid(
  { status, drains_until }: Pick<ValidRegistration, 'status' | 'drains_until'>,
  now: Date,
): boolean {
  return status === 'active' || (status === 'draining' && drains_until !== null && drains_until > now)
}

/** One version by its id (primary key). */
export async function findRegistration(ctx: Context, registration_id: string): Promise<RegistrationRow | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select(COLUMNS)
    .where('registration_id', '=', registration_id)
    .executeTakeFirst()
}

/** The version of an agent that stands in the way of the same content (index registration_live_checksum). */
export async function findLiveByChecksum(
  ctx: Context,
  client_id: string,
  agent_id: string,
  checksum: string,
): Promise<Pick<RegistrationRow, 'registration_id' | 'status' | 'drains_until'> | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select(['registration_id', 'status', 'drains_until'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('checksum', '=', checksum)
    .where('status', 'in', LIVE)
    .executeTakeFirst()
}

/** The version that counts now (index registration_one_active). */
export async function findActiveRegistration(
  ctx: Context,
  { client_id, agent_id }: AgentName,
): Promise<{ registration_id: string; version: number } | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select(['registration_id', 'version'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'active')
    .executeTakeFirst()
}

/** Whether the time in which a version drains is over; its row says so only once somebody writes. */
export function hasDrained(
  { status, drains_until }: Pick<RegistrationRow, 'status' | 'drains_until'>,
  now: Date,
): boolean {
  return status === 'draining' && drains_until !== null && drains_until <= now
}

/** Whether this content of this agent was revoked once (index registration_by_checksum). */
export async function wasRevoked(
  ctx: Context,
  client_id: string,
  agent_id: string,
  checksum: string,
): Promise<boolean> {
  const row = await ctx.db
    .selectFrom('registration')
    .select('registration_id')
    .where('client_id', '=', client_id)
    .where('checksum', '=', checksum)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'revoked')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Versions of an agent, newest first, those below `below` (unique index on client_id, agent_id, version); with `live` only
 * those that count, wait or drain (index registration_live_checksum).
 */
export async function listRegistrations(
  ctx: Context,
  client_id: string,
  agent_id: string,
  page: { below?: number; live?: boolean; limit: number },
): Promise<readonly RegistrationRow[]> {
  return await ctx.db
    .selectFrom('registration')
    .select(COLUMNS)
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .$if(page.below !== undefined, query => query.where('version', '<', page.below ?? 0))
    .$if(page.live === true, query => query.where('status', 'in', LIVE))
    .orderBy('version', 'desc')
    .limit(page.limit)
    .execute()
}

/** Number of the agent's newest version, 0 without one (unique index on client_id, agent_id, version). */
export async function newestVersion(tx: Context, client_id: string, agent_id: string): Promise<number> {
  const row = await tx.db
    .selectFrom('registration')
    .select('version')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.version ?? 0
}

/**
 * Whether a version of the agent has ever counted: it counts now, did not wait, or was approved (unique index on
 * client_id, agent_id, version).
 */
export async function hasCountedVersion(ctx: Context, client_id: string, agent_id: string): Promise<boolean> {
  const row = await ctx.db
    .selectFrom('registration')
    .select('version')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '<>', 'pending')
    .where(eb =>
      eb.or([
        eb('status', 'in', ['active', 'draining']),
        eb('approved_at', 'is not', null),
        sql<boolean>`pending_for = '[]'::jsonb`,
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** What the newest pending version of the agent proposes (unique index on client_id, agent_id, version). */
export async function newestProposal(
  ctx: Context,
  client_id: string,
  agent_id: string,
): Promise<Pick<RegistrationRow, 'proposed_grant' | 'proposed_keys'> | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select(['proposed_grant', 'proposed_keys'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'pending')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Other agents of the client that have a live version of one of these contents (index registration_by_content). */
export async function agentsOfContent(
  ctx: Context,
  { client_id, agent_id }: AgentName,
  content_digests: readonly Buffer[],
  limit: number,
): Promise<readonly string[]> {
  const rows = await ctx.db
    .selectFrom('registration')
    .select('agent_id')
    .distinct()
    .where('client_id', '=', client_id)
    .where('content_digest', 'in', content_digests)
    .where('agent_id', '<>', agent_id)
    .where('status', 'in', LIVE)
    .orderBy('agent_id')
    .limit(limit)
    .execute()
  return rows.map(row => row.agent_id)
}

/** Number of the newest version that waits, counts or drains (unique index on client_id, agent_id, version). */
export async function newestLiveVersion(tx: Context, client_id: string, agent_id: string): Promise<number | undefined> {
  const row = await tx.db
    .selectFrom('registration')
    .select('version')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', 'in', LIVE)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.version
}

/** The sealed components of one version, and what they are (primary key). */
export async function findSealedComponents(
  ctx: Context,
  registration_id: string,
): Promise<{ components_sealed: Buffer; checksum_profile: ChecksumProfile } | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select(['components_sealed', 'checksum_profile'])
    .where('registration_id', '=', registration_id)
    .executeTakeFirst()
}
