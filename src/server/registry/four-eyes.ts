import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { isOnlyAdministrator } from './only-administrator.ts'
import { isAmong } from './same-person.ts'

/**
 * The approver's owner differs from the registering and the owning client's (protocol.md section 4). While there is
 * exactly one administrator, it may approve its own acts (section 11).
 * Throws Problem `forbidden`.
 */
export async function checkFourEyes(
  tx: Context,
  caller: Caller,
  { registered_owner, owner }: { registered_owner: string; owner: string },
): Promise<void> {
  await checkOtherOwner(tx, caller, [registered_owner, owner], {
    detail: 'Somebody else must approve: the acting owner registered this version or owns the client.',
    reason: 'own_proposal',
  })
}

/**
 * The person who acts is none of these, whatever their names, except while there is exactly one administrator.
 * Throws Problem `forbidden`.
 */
export async function checkOtherOwner(
  tx: Context,
  caller: Caller,
  owners: readonly (string | null)[],
  refusal: { detail: string; reason: string },
): Promise<void> {
  if (!(await isAmong(tx, caller.acting_owner, owners))) return
  if (await isOnlyAdministrator(tx)) return
  throw new Problem('forbidden', refusal.detail, refusal.reason)
}
