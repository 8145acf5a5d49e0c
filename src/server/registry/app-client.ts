import { OAuthError } from '../../protocol/errors.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, findClient } from '../store/clients.ts'
import { registersUnapproved } from './ceiling.ts'

/**
 * The client that an agent or a workflow is registered for: the caller, or one that its record names in
 * `registers_for` (protocol.md section 4). An unknown client answers like a foreign one. Throws `unauthorized_client`.
 */
export async function clientToRegisterFor(tx: Context, caller: Caller, app_id: string): Promise<Client> {
  const client = speaksFor(caller, app_id) ? await findClient(tx, app_id) : undefined
  if (client?.status !== 'active') {
    throw new OAuthError('unauthorized_client', 'The client may not register for this app_id.', {
      reason: 'foreign_app',
    })
  }
  if (caller.client_id === app_id && registersUnapproved(client, tx.config)) {
    throw new OAuthError('unauthorized_client', 'In production this client registers only with require_approval.', {
      reason: 'approval_policy_missing',
    })
  }
  return client
}

/** The client whose agents and workflows a caller may read. Throws Problem `not_found`, for foreign and unknown alike. */
export async function clientToRead(tx: Context, caller: Caller, app_id: string): Promise<Client> {
  const client = speaksFor(caller, app_id) ? await findClient(tx, app_id) : undefined
  if (client) return client
  throw new Problem('not_found', 'There is no such client among those that this client registers for.', 'foreign_app')
}

/** Whether a caller may register for this client at all: it is its own, or named in its record. */
export function speaksFor(caller: Caller, app_id: string): boolean {
  return caller.client_id === app_id || caller.registers_for.includes(app_id)
}
