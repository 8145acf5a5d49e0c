import { type Access, grants } from '../../protocol/access.ts'
import type { Context } from '../context.ts'
import { findHoldersOf } from '../store/clients.ts'
import { hadSecondAdministrator, recordSecondAdministrator } from '../store/second-administrator.ts'

/** Who holds one of these can approve, or can make a client that does: an administrator. */
const ADMINISTRATES = ['approve:agents', 'admin:clients'] as const

/**
 * Whether there is, and always was, exactly one administrator: it may approve its own acts (protocol.md section 11).
 * One that was revoked, deleted or lost its scopes counts for ever: getting rid of the second administrator must not
 * open the door again.
 */
export async function isOnlyAdministrator(tx: Context): Promise<boolean> {
  const administrators = await findHoldersOf(tx, tx.config.adminAudience, ADMINISTRATES)
  return administrators.length === 1 && !(await hadSecondAdministrator(tx))
}

/** Runs beside every write of a client's access; before one that takes away, since afterwards nobody could tell. */
export async function noteAdministrators(tx: Context): Promise<void> {
  const administrators = await findHoldersOf(tx, tx.config.adminAudience, ADMINISTRATES)
  if (administrators.length > 1) await recordSecondAdministrator(tx, tx.now())
}

/** Runs beside every write of a trusted issuer: whoever comes through one with such a scope is an administrator too. */
export async function noteAdministratorsBy(tx: Context, access: Access): Promise<void> {
  const administrates = ADMINISTRATES.some(scope => grants(access, tx.config.adminAudience, scope))
  if (administrates) await recordSecondAdministrator(tx, tx.now())
}
