import type { Context } from '../context.ts'
import { findStandingRevocation, type RevocationRef } from './revocations.ts'

/** Why a mint that was allowed a moment ago is not any more. */
export type Lapse =
  | 'revoked'
  | 'signing_key_revoked'
  | 'key_revoked'
  | 'initiator_revoked'
  | 'client_revoked'
  | 'client_changed'
  | 'resource_deleted'
  | 'agent_not_active'
  | 'version_not_valid'
  | 'agent_key_removed'
  | 'workflow_not_active'
  | 'workflow_replaced'

/** What a mint rests on, read again inside the write (protocol.md section 9). */
export type Standing = {
  readonly client_id: string
  /** Of the record by which the client was authenticated and its rights were judged. */
  readonly client_updated_at: Date | null
  /** Null for our own two, which nobody can delete. */
  readonly resource: string | null
  readonly agent_id: string | null
  readonly registration_id: string | null
  /** The agent's registered key in the token; null where the key is the client's own choice, or endorsed. */
  readonly agent_jkt: string | null
  /** Of our key that is about to sign. */
  readonly kid: string
  /** The workflow and the version of it by which the step was judged. */
  readonly workflow: { readonly workflow_id: string; readonly version: number } | null
  readonly refs: readonly RevocationRef[]
}

/**
 * Why this may not be minted now, or undefined. Only behind the gate: then no revocation that has answered is missed.
 * Primary keys serve the joins.
 */
export async function lapsedStanding(tx: Context, standing: Standing, now: Date): Promise<Lapse | undefined> {
  const client = await tx.db
    .selectFrom('client')
    .select(eb => [
      'client.status',
      'client.updated_at',
      eb
        .selectFrom('resource')
        .select('resource.status')
        .where('resource.resource', '=', standing.resource)
        .as('resource_status'),
    ])
    .where('client.client_id', '=', standing.client_id)
    .executeTakeFirst()
  if (client?.status !== 'active') return 'client_revoked'
  if (client.updated_at?.getTime() !== standing.client_updated_at?.getTime()) return 'client_changed'
  if (standing.resource !== null && client.resource_status !== 'active') return 'resource_deleted'
  const entry = await findStandingRevocation(tx, standing.refs, now)
  if (entry) return lapseOf(entry, standing)
  if (standing.agent_id === null || standing.registration_id === null) return undefined
  const version = await tx.db
    .selectFrom('registration')
    .innerJoin('agent', join =>
      join
        .onRef('agent.client_id', '=', 'registration.client_id')
        .onRef('agent.agent_id', '=', 'registration.agent_id'),
    )
    .select([
      'agent.status as agent_status',
      'registration.status',
      'registration.drains_until',
      'registration.checksum',
    ])
    .where('registration.registration_id', '=', standing.registration_id)
    .executeTakeFirst()
  if (version?.agent_status !== 'active') return 'agent_not_active'
  const draining = version.status === 'draining' && version.drains_until !== null && version.drains_until > now
  const ended = version.status !== 'active' && !draining
  if (ended && !(version.status === 'retired' && (await contentCounts(tx, standing, version.checksum)))) {
    return 'version_not_valid'
  }
  const lapsed = await lapsedWorkflow(tx, standing)
  if (lapsed || standing.agent_jkt === null) return lapsed
  const key = await tx.db
    .selectFrom('agent_key')
    .select('jkt')
    .where('jkt', '=', standing.agent_jkt)
    .where('client_id', '=', standing.client_id)
    .where('agent_id', '=', standing.agent_id)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return key ? undefined : 'agent_key_removed'
}

/** A key of ours is the server's trouble and not the caller's; the others say what the caller lost. */
function lapseOf({ kind, id }: RevocationRef, { kid }: Standing): Lapse {
  if (kind === 'initiator') return 'initiator_revoked'
  if (kind !== 'key') return 'revoked'
  return id === kid ? 'signing_key_revoked' : 'key_revoked'
}

/** A step was judged by one version of its workflow: another may forbid it (primary key). */
async function lapsedWorkflow(tx: Context, { client_id, workflow }: Standing): Promise<Lapse | undefined> {
  if (workflow === null) return undefined
  const row = await tx.db
    .selectFrom('workflow')
    .select(['status', 'version'])
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow.workflow_id)
    .executeTakeFirst()
  if (row?.status !== 'active') return 'workflow_not_active'
  return row.version === workflow.version ? undefined : 'workflow_replaced'
}

/**
 * Whether a newer version of the same content counts: a rollback came between the checks of this mint and its write,
 * and must refuse nothing of what it brings back (index registration_live_checksum).
 */
async function contentCounts(tx: Context, { client_id, agent_id }: Standing, checksum: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('registration')
    .select('version')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('checksum', '=', checksum)
    .where('status', '=', 'active')
    .executeTakeFirst()
  return row !== undefined
}
