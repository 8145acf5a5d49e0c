import { z } from 'zod'
import { ADMIN_SCOPES, type AdminScope } from '../protocol/own-resources.ts'
import { adminClient } from './admin-client.ts'
import { readProfile } from './profile.ts'
import type { Session } from './session.ts'

const accessSchema = z.object({ access: z.array(z.object({ resource: z.string(), scope: z.string() })) })

export function clientPath(client_id: string): string {
  return `/admin/v1/clients/${encodeURIComponent(client_id)}`
}

/**
 * The scopes to change the credential of a client with: the server asks for every admin scope that the client has,
 * because whoever knows its credential can act as it. Throws CliFailure.
 */
export async function scopesToActAs(session: Session, client_id: string): Promise<readonly AdminScope[]> {
  const { issuer } = await readProfile(session)
  const api = await adminClient(session, 'admin:clients')
  const { access } = accessSchema.parse(await api.get(clientPath(client_id)))
  const held = access.find(entry => entry.resource === `${issuer}/admin`)?.scope.split(' ') ?? []
  return ADMIN_SCOPES.filter(scope => scope === 'admin:clients' || held.includes(scope))
}
