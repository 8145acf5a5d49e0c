import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { deleteSecrets } from '../store/client-secrets.ts'
import { type Client, lockClient, updateClient } from '../store/clients.ts'
import type { Outcome } from './act.ts'
import { unknownClient } from './client-checks.ts'
import { type ClientDeleted, viewOf } from './client-view.ts'
import { createRevocation } from './revocations.ts'

/**
 * Deletes a client, for good (protocol.md section 9), inside `act` with the exclusive gate as its `before`: it is
 * revoked with all that descends from it, its secrets and keys are forgotten, and what is left keeps its name from
 * being given out again. The answer says what the revocation covered. Throws Problem `not_found`, `conflict` for a deleted one and for the last administrator.
 */
export async function deleteClient(
  tx: Context,
  caller: Caller,
  client_id: string,
  reason: string,
): Promise<Outcome<ClientDeleted>> {
  const client = await lockClient(tx, client_id)
  if (!client) throw unknownClient()
  if (client.status === 'deleted') throw new Problem('conflict', 'This client was deleted before.', 'client_deleted')
  const { body } = await createRevocation(tx, caller, { kind: 'client', id: client_id, reason })
  await deleteSecrets(tx, client_id)
  const row: Client = { ...client, status: 'deleted', jwks: null, jwks_uri: null, updated_at: tx.now() }
  await updateClient(tx, row)
  const audit = { details: { reason, owner: client.owner, revoked: body.revoked } }
  return { status: 200, body: { ...(await viewOf(tx, row)), revocation: body }, audit }
}
