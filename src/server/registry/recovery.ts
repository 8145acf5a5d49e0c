import { ADMIN_SCOPES } from '../../protocol/own-resources.ts'
import { auditRecovery } from '../audit/own-events.ts'
import { type Context, transaction } from '../context.ts'
import { claimBootstrap } from '../store/bootstrap.ts'
import { activeHolders, revokeClient } from '../store/clients.ts'
import { enterGateExclusive } from '../store/gate.ts'
import { revokeWithDescendants } from '../store/revocation-cascade.ts'
import { clientJwks } from './client-keys.ts'
import { newClientId } from './clients.ts'
import { insertAdministrator } from './new-administrator.ts'

export type Recovery = {
  readonly client_name: string
  readonly owner: string
  /** The second person, who saw it done. */
  readonly witness?: string
  readonly jwks: unknown
  /** Every other client with an admin scope is revoked in the same transaction. */
  readonly revoke_others: boolean
}

/**
 * Makes an administrator from the host itself, for when the last one's key is lost (reliability.md section 6). Bootstrap
 * stays, or is from now on, closed. The audit row names owner, witness and what was revoked.
 */
export async function recoverAdministrator(
  ctx: Context,
  recovery: Recovery,
): Promise<{ client_id: string; revoked: readonly string[] }> {
  const jwks = await clientJwks(ctx, recovery.jwks)
  const client_id = newClientId(ctx)
  const { client_name, owner, witness, revoke_others } = recovery
  return await transaction(ctx, async tx => {
    await enterGateExclusive(tx)
    const now = tx.now()
    const revoked = revoke_others ? await revokeAdministrators(tx, now) : []
    await insertAdministrator(tx, { client_id, client_name, owner, jwks, created_by: 'recovery' })
    await claimBootstrap(tx, client_id, now)
    await auditRecovery(tx, { client_id, owner, witness: witness ?? null, revoked })
    return { client_id, revoked }
  })
}

async function revokeAdministrators(tx: Context, now: Date): Promise<readonly string[]> {
  const administrators = await activeHolders(tx, tx.config.adminAudience, ADMIN_SCOPES)
  for (const { client_id } of administrators) {
    await revokeClient(tx, client_id)
    const entry = { kind: 'client', id: client_id, holder: { client_id } } as const
    await revokeWithDescendants(tx, entry, { reason: 'administration recovered', revoked_by: 'recovery', now })
  }
  return administrators.map(({ client_id }) => client_id)
}
