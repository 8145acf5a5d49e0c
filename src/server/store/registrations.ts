import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
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
  'status',
  'drain_seconds',
  'drains_until',
  'proposed_grant',
  'proposed_keys',
  'registered_at',
  'registered_by',
  'registered_owner',
  'approved_at',
  'approved_by',
  'pending_for',
  'rejected_at',
  'rejected_by',
  'reject_reason',
] as const

/** States in which a version counts, waits or drains. */
export const LIVE = ['pending', 'active', 'draining'] as const

/** The active version and those that still drain, newest first (unique index on client_id, agent_id, version). */
export async function validRegistrations(
  ctx: Context,
  client_id: string,
  agent_id: string,
  now: Date,
): Promise<readonly ValidRegistration[]> {
  return await ctx.db
    .selectFrom('registration')
    .select(['registration_id', 'version', 'checksum', 'checksum_profile', 'status', 'drains_until'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where(eb =>
      eb.or([eb('status', '=', 'active'), eb.and([eb('status', '=', 'draining'), eb('drains_until', '>', now)])]),
    )
    .orderBy('version', 'desc')
    .limit(16)
    .execute()
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
): Promise<{ registration_id: string } | undefined> {
  return await ctx.db
    .selectFrom('registration')
    .select('registration_id')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('checksum', '=', checksum)
    .where('status', 'in', LIVE)
    .executeTakeFirst()
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

/** Versions of an agent, newest first, those below `below` (unique index on client_id, agent_id, version). */
export async function listRegistrations(
  ctx: Context,
  client_id: string,
  agent_id: string,
  page: { below?: number; limit: number },
): Promise<readonly RegistrationRow[]> {
  return await ctx.db
    .selectFrom('registration')
    .select(COLUMNS)
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .$if(page.below !== undefined, query => query.where('version', '<', page.below ?? 0))
    .orderBy('version', 'desc')
    .limit(page.limit)
    .execute()
}

/** For each of these agents the version that counts: the active one, else the newest (the same unique index). */
export async function currentRegistrations(
  ctx: Context,
  client_id: string,
  agent_ids: readonly string[],
): Promise<ReadonlyMap<string, RegistrationRow>> {
  if (agent_ids.length === 0) return new Map()
  const rows = await ctx.db
    .selectFrom('registration')
    .select(COLUMNS)
    .distinctOn('agent_id')
    .where('client_id', '=', client_id)
    .where('agent_id', 'in', agent_ids)
    .orderBy('agent_id')
    .orderBy(eb => eb.case().when('status', '=', 'active').then(0).else(1).end())
    .orderBy('version', 'desc')
    .limit(agent_ids.length)
    .execute()
  return new Map(rows.map(row => [row.agent_id, row]))
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
 * What the newest pending version proposes where no version of the agent has ever counted; undefined where one has
 * (unique index on client_id, agent_id, version).
 */
export async function firstProposal(
  tx: Context,
  client_id: string,
  agent_id: string,
): Promise<Pick<RegistrationRow, 'proposed_grant' | 'proposed_keys'> | undefined> {
  const versions = await tx.db
    .selectFrom('registration')
    .select(['status', 'proposed_grant', 'proposed_keys'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .orderBy(eb => eb('status', '=', 'pending'), 'asc')
    .orderBy('version', 'desc')
    .limit(1)
    .execute()
  const [decisive] = versions
  return decisive?.status === 'pending' ? decisive : undefined
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

/** The sealed components of one version (primary key). */
export async function findSealedComponents(ctx: Context, registration_id: string): Promise<Buffer | undefined> {
  const row = await ctx.db
    .selectFrom('registration')
    .select('components_sealed')
    .where('registration_id', '=', registration_id)
    .executeTakeFirst()
  return row?.components_sealed
}
