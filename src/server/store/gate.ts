import { sql } from 'kysely'
import type { Context } from '../context.ts'

/** Key of the one advisory lock that orders mints and revocations on every node (protocol.md section 9). */
export const GATE_LOCK = 7_166_000_001

/**
 * Enters the gate as a mint: many at once, none while a revocation writes. A statement of its own, so that what the
 * transaction reads next is read after every finished revocation (READ COMMITTED takes a snapshot a statement).
 */
export async function enterGateShared(ctx: Context): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${GATE_LOCK})`.execute(ctx.db)
}

/** Enters the gate as a revocation, before its first read or write: waits for mints under way, holds back new ones. */
export async function enterGateExclusive(ctx: Context): Promise<void> {
  await sql`select pg_advisory_xact_lock(${GATE_LOCK})`.execute(ctx.db)
}
