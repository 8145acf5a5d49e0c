import { parseSubjectName } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findClient } from '../store/clients.ts'
import { isOnlyAdministrator } from './only-administrator.ts'
import { isAmong } from './same-person.ts'

/** Who registered a version: the person or client itself, its owner then, the client by whose token it came, and its owner. */
type Registered = {
  readonly registered_by: string
  readonly registered_owner: string
  readonly registered_client: string | null
  readonly registered_client_owner: string | null
}

/**
 * The approver's owner differs from the registering and the owning client's (protocol.md section 4), also where a person
 * or a job registered it through that client. `more`: who else may not. While there is exactly one administrator, it may
 * approve its own acts (section 11). Throws Problem `forbidden`; `conflict` where nobody knows who owns what brought it.
 */
export async function checkFourEyes(
  tx: Context,
  caller: Caller,
  version: Registered,
  { owner }: { readonly owner: string },
  more: readonly (string | null)[] = [],
): Promise<void> {
  if (registeringClient(version) === null) {
    throw new Problem(
      'conflict',
      'A person or job registered this before the server kept by which client; register it again.',
      'registering_client_not_kept',
    )
  }
  await checkOtherOwner(tx, caller, [owner, ...(await registrants(tx, version)), ...more], {
    detail: 'Somebody else must approve: the acting owner registered this version or owns the client.',
    reason: 'own_proposal',
  })
}

/** Who answers for what a version brought: whoever gave away the client by which it came too, and whoever has it now. */
export async function registrants(tx: Context, version: Registered): Promise<readonly (string | null)[]> {
  const through = registeringClient(version)
  const now = through === null ? null : await ownerOfClient(tx, through)
  return [version.registered_owner, version.registered_client_owner, now]
}

export async function ownerOfClient(tx: Context, client_id: string): Promise<string | null> {
  return (await findClient(tx, client_id))?.owner ?? null
}

/** Of versions from before it was kept, the client that registered in its own name; null where a person or job did. */
export function registeringClient({ registered_client, registered_by }: Registered): string | null {
  return registered_client ?? (parseSubjectName(registered_by)?.kind === 'user' ? null : registered_by)
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
  const others = [...new Set(owners.filter(owner => owner !== null))].sort()
  throw new Problem('forbidden', refusal.detail, refusal.reason, {
    compared: { acting_owner: caller.acting_owner, 'owners who may not': others.join(' ') },
  })
}
