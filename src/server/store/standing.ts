import type { Context } from '../context.ts'
import { type RevocationRef, standingRevocation } from './revocations.ts'

/** Why a mint that was allowed a moment ago is not any more. */
export type Lapse = 'revoked' | 'client_revoked' | 'agent_not_active' | 'version_not_valid' | 'agent_key_removed'

/** What a mint rests on, read again inside the write (protocol.md section 9). */
export type Standing = {
  readonly client_id: string
  readonly agent_id: string | null
  readonly registration_id: string | null
  /** The agent's key that signed the proof; null where the key is the client's own choice. */
  readonly agent_jkt: string | null
  readonly refs: readonly RevocationRef[]
}

/**
 * Why this may not be minted now, or undefined. Only behind the gate: then no revocation that has answered is missed.
 * Primary keys serve the joins.
 */
export async function lapsedStanding(tx: Context, standing: Standing, now: Date): Promise<Lapse | undefined> {
  const client = await tx.db
    .selectFrom('client')
    .select('status')
    .where('client_id', '=', standing.client_id)
    .executeTakeFirst()
  if (client?.status !== 'active') return 'client_revoked'
  if (await standingRevocation(tx, standing.refs, now)) return 'revoked'
  if (standing.agent_id === null || standing.registration_id === null) return undefined
  const version = await tx.db
    .selectFrom('registration')
    .innerJoin('agent', join =>
      join
        .onRef('agent.client_id', '=', 'registration.client_id')
        .onRef('agent.agent_id', '=', 'registration.agent_id'),
    )
    .select(['agent.status as agent_status', 'registration.status', 'registration.drains_until'])
    .where('registration.registration_id', '=', standing.registration_id)
    .executeTakeFirst()
  if (version?.agent_status !== 'active') return 'agent_not_active'
  const draining = version.status === 'draining' && version.drains_until !== null && version.drains_until > now
  if (version.status !== 'active' && !draining) return 'version_not_valid'
  if (standing.agent_jkt === null) return undefined
  const key = await tx.db
    .selectFrom('agent_key')
    .select('removed_at')
    .where('jkt', '=', standing.agent_jkt)
    .executeTakeFirst()
  return key && key.removed_at === null ? undefined : 'agent_key_removed'
}
