import type { Policies } from '../../protocol/client.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import { findRegisteringOwners, ownsGuardedClient } from '../store/owners.ts'
import { checkOtherOwner } from './four-eyes.ts'

/**
 * The policies that stand between a client's owner and what needs another owner's approval, as far as they fall: who may
 * let a version count, whose word admits a key, what an agent gets unasked, and that its own key is there at the mint
 * (protocol.md section 4; reliability.md section 6). A longer drain keeps only what was approved before, more endorsed
 * keys are no other keys, and a shim's version or a bearer token gives no agent anything: they are none of these.
 */
export function lowered(held: Policies, next: Policies): readonly string[] {
  const falls = {
    require_approval: held.require_approval && !next.require_approval,
    agent_keys: held.agent_keys === 'registered' && next.agent_keys === 'endorsed',
    default_grant: held.default_grant === 'none' && next.default_grant === 'client',
    agent_proof: held.agent_proof === 'required' && next.agent_proof === 'optional',
  }
  return Object.entries(falls).flatMap(([name, falls]) => (falls ? [name] : []))
}

/**
 * Who gains where a client's policies fall: its owner, and whoever owns a client that registers for it.
 */
export async function gainers(tx: Context, client: Pick<Client, 'client_id' | 'owner'>): Promise<readonly string[]> {
  return [client.owner, ...(await findRegisteringOwners(tx, client.client_id))]
}

/** The owner is that of before the change: giving the client away with the same request helps nobody. Throws `forbidden`. */
export async function checkLowering(tx: Context, caller: Caller, client: Client, next: Client): Promise<void> {
  const names = lowered(client.policies, next.policies)
  if (names.length === 0) return
  await checkOtherOwner(tx, caller, await gainers(tx, client), {
    detail: `Somebody else must lower ${names.join(', ')}: the acting owner owns the client, or one that registers for it.`,
    reason: 'own_policy_lowered',
  })
}

/** Whoever could give a client away could lower its policies as a stranger a moment later. Throws Problem `forbidden`. */
export async function checkHandover(
  tx: Context,
  caller: Caller,
  client: Pick<Client, 'client_id' | 'owner' | 'policies'>,
): Promise<void> {
  if (client.policies.require_approval) await checkOtherOwner(tx, caller, await gainers(tx, client), HANDOVER)
}

/** `checkHandover` for every client of an owner, before they move. Throws Problem `forbidden`. */
export async function checkHandoverOfAll(tx: Context, caller: Caller, owner: string): Promise<void> {
  if (await ownsGuardedClient(tx, owner)) await checkOtherOwner(tx, caller, [owner], HANDOVER)
}

const HANDOVER = {
  detail:
    'Somebody else must give away a client with require_approval: the acting owner owns it, or one that registers for it.',
  reason: 'own_handover',
}
