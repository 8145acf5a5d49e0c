import type { Insertable, Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { ConsoleSessionTable } from './schema-operation.ts'

export type ConsoleLinkRow = Omit<
  Insertable<ConsoleSessionTable>,
  'session_digest' | 'marker_digest' | 'expires_at' | 'ended_at'
>
/** What a session stands for: the token that asked for its link, as it was then; and its second half. */
export type ConsoleSessionRow = Pick<
  Selectable<ConsoleSessionTable>,
  'client_id' | 'sub' | 'acting_owner' | 'scope' | 'jti' | 'marker_digest' | 'expires_at'
>

const COLUMNS = ['client_id', 'sub', 'acting_owner', 'scope', 'jti', 'marker_digest', 'expires_at'] as const
/** Far longer than any session: the trail of who signed in is the audit, not these rows. */
const KEPT_SECONDS = 86_400
/** Longer than a link waits and its session then lasts. */
const LIVING_SECONDS = 3_600

export async function insertConsoleLink(tx: Context, row: ConsoleLinkRow): Promise<void> {
  await tx.db.insertInto('console_session').values(row).execute()
}

/**
 * Trades a code for a session, once: of many at the same time one statement gets the row (primary key).
 * @returns undefined for a code that is unknown, used or over
 */
export async function claimConsoleLink(
  tx: Context,
  code_digest: Buffer,
  session: { session_digest: Buffer; marker_digest: Buffer; expires_at: Date; now: Date },
): Promise<ConsoleSessionRow | undefined> {
  const { session_digest, marker_digest, expires_at, now } = session
  return await tx.db
    .updateTable('console_session')
    .set({ session_digest, marker_digest, expires_at })
    .where('code_digest', '=', code_digest)
    .where('session_digest', 'is', null)
    .where('ended_at', 'is', null)
    .where('code_expires_at', '>', now)
    .where('created_at', '>=', notBefore(tx))
    .returning(COLUMNS)
    .executeTakeFirst()
}

/** A session that was not ended and is not over (unique index on session_digest). */
export async function findConsoleSession(
  ctx: Context,
  session_digest: Buffer,
  now: Date,
): Promise<ConsoleSessionRow | undefined> {
  return await ctx.db
    .selectFrom('console_session')
    .select(COLUMNS)
    .where('session_digest', '=', session_digest)
    .where('expires_at', '>', now)
    .where('ended_at', 'is', null)
    .where('created_at', '>=', notBefore(ctx))
    .executeTakeFirst()
}

/** @returns false where it was ended before (unique index on session_digest) */
export async function endConsoleSession(tx: Context, session_digest: Buffer, now: Date): Promise<boolean> {
  const ended = await tx.db
    .updateTable('console_session')
    .set({ ended_at: now })
    .where('session_digest', '=', session_digest)
    .where('ended_at', 'is', null)
    .returning('client_id')
    .executeTakeFirst()
  return ended !== undefined
}

/**
 * Ends links and sessions of clients for good, because what they stood for changed (index console_session_by_creation:
 * what is older than `LIVING_SECONDS` is over).
 */
export async function endSessionsOfClients(tx: Context, client_ids: readonly string[], now: Date): Promise<void> {
  await tx.db
    .updateTable('console_session')
    .set({ ended_at: now })
    .where('client_id', 'in', client_ids)
    .where('created_at', '>=', new Date(now.getTime() - LIVING_SECONDS * 1000))
    .where('ended_at', 'is', null)
    .execute()
}

/** Removes links and sessions a day after they were made (index console_session_by_creation). */
export async function purgeConsoleSessions(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - KEPT_SECONDS * 1000)
  const dead = ctx.db
    .selectFrom('console_session')
    .select('code_digest')
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(1000)
  await ctx.db.deleteFrom('console_session').where('code_digest', 'in', dead).execute()
}

/** A restore forgot which codes were used and which sessions ended since its backup. */
function notBefore(ctx: Context): Date {
  return new Date(ctx.notBefore * 1000)
}
