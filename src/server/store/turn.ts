import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'
import { isContention } from './storage-trouble.ts'
import { openWriteSession, type WriteSession } from './write-session.ts'

/** First half of the key of the advisory locks by which the workers of one node take turns; the other half is the node's. */
export const TURN_LOCK = 7_166

/**
 * Begins a transaction when no other worker of this node writes. Undefined where one stalls: writing waits for none of
 * them for long. The turn ends with the transaction, or with the process that has it.
 */
export async function takeTurn(passDb: Kysely<Database>, turn: number): Promise<WriteSession | undefined> {
  const session = await openWriteSession(passDb)
  try {
    await session.send(
      `begin isolation level read committed; set local lock_timeout = '100ms';
       select pg_advisory_xact_lock(${TURN_LOCK}, ${turn}); set local lock_timeout to default`,
    )
    return session
  } catch (cause) {
    await session.undo()
    if (isContention(cause)) return undefined
    throw cause
  }
}
