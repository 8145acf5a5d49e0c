import { z } from 'zod'
import { subjectNameSchema } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import { reasonSchema } from '../../protocol/reason.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { endSessionsOfClients } from '../store/console-sessions.ts'
import { listOwners, moveClients } from '../store/owners.ts'
import type { Outcome } from './act.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { isOnlyAdministrator } from './only-administrator.ts'
import { checkHandoverOfAll } from './policy-lowering.ts'
import { samePerson } from './same-person.ts'

export const ownerSchema = z.object({ owner: z.string(), clients: z.int(), operators: z.int() })
type OwnerView = z.output<typeof ownerSchema>

/** Body of POST /admin/v1/owners/transfer. */
export const ownerTransferSchema = z.strictObject({
  from: subjectNameSchema,
  to: subjectNameSchema,
  reason: reasonSchema,
})
export type OwnerTransfer = z.output<typeof ownerTransferSchema>
export const ownerTransferredSchema = z.object({ from: z.string(), to: z.string(), clients: z.int() })

/** More names than this are only counted in the audit row. */
const AUDITED_NAMES = 1_000

/** Who answers for clients, with how many of them. */
export async function getOwners(ctx: Context, page: { cursor?: string; limit: number }): Promise<Page<OwnerView>> {
  const { cursorKey } = ctx.keys
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'owners', page.cursor) }
  const rows = await listOwners(ctx, { ...after, limit: page.limit + 1 })
  return pageOf(cursorKey, 'owners', rows, page.limit, row => row.owner)
}

/**
 * Gives every client of one owner to another, inside `act`. An owner is a name whose form alone is checked: whoever
 * holds `admin:clients` can invent one (SECURITY.md). Their console sessions end, also for the case that they come
 * back. Throws Problem `invalid_request`, `not_found`, `forbidden`.
 */
export async function transferOwner(
  tx: Context,
  caller: Caller,
  { from, to, reason }: OwnerTransfer,
): Promise<Outcome<z.output<typeof ownerTransferredSchema>>> {
  if (from === to) throw new Problem('invalid_request', 'from and to are the same owner.', 'same_owner')
  await checkNewOwner(tx, caller, to)
  await checkHandoverOfAll(tx, caller, from)
  const moved = await moveClients(tx, from, to, tx.now())
  if (moved.length === 0) throw new Problem('not_found', 'No client has this owner.', 'unknown_owner')
  await endSessionsOfClients(tx, moved, tx.now())
  const clients = moved.length
  const details = { from, to, reason, clients, client_ids: moved.slice(0, AUDITED_NAMES) }
  return { status: 200, body: { from, to, clients }, audit: { details } }
}

/**
 * Nobody takes somebody's clients for themselves: an owner is who answers for what a client did, and who is asked.
 * While there is one administrator there is nobody else to do it (as in protocol.md section 11). Throws `forbidden`.
 */
export async function checkNewOwner(tx: Context, caller: Caller, to: string): Promise<void> {
  if (!(await samePerson(tx, to, caller.acting_owner))) return
  if (await isOnlyAdministrator(tx)) return
  throw new Problem('forbidden', 'Somebody else must make you the owner of these clients.', 'own_takeover')
}
