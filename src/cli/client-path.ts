import { z } from 'zod'
import { ADMIN_SCOPES, type AdminScope } from '../protocol/own-resources.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { readProfile } from './profile.ts'
import type { Session } from './session.ts'

const accessSchema = z.array(z.object({ resource: z.string(), scope: z.string() }))

export function clientPath(client_id: string): string {
  return `/admin/v1/clients/${encodeURIComponent(client_id)}`
}

/**
 * The scopes to change the credential of a client with: the server asks for every admin scope that the client has,
 * because whoever knows its credential can act as it. Throws CliFailure.
 */
export async function scopesToActAs(session: Session, client_id: string): Promise<readonly AdminScope[]> {
  return withClientScope(await heldScopes(session, client_id))
}

/**
 * The scopes to give a client this access with: the server lets nobody give an admin scope that their token has not. What
 * the client has already is not given. Throws CliFailure.
 */
export async function scopesToGive(
  session: Session,
  access: unknown,
  client_id?: string,
): Promise<readonly AdminScope[]> {
  const named = await adminScopesOf(session, access)
  if (named.length === 0 || client_id === undefined) return withClientScope(named)
  const held = await heldScopes(session, client_id)
  return withClientScope(named.filter(scope => !held.includes(scope)))
}

/** The scopes to write a record with that gives these accesses, as `scopesToGive`. Throws CliFailure. */
export async function namedScopes(session: Session, accesses: readonly unknown[]): Promise<readonly AdminScope[]> {
  const named = await Promise.all(accesses.map(async access => await adminScopesOf(session, access)))
  return withClientScope(named.flat())
}

async function heldScopes(session: Session, client_id: string): Promise<readonly AdminScope[]> {
  const api = await adminClient(session, 'admin:clients')
  const { access } = readRecord(await api.get(clientPath(client_id)))
  return await adminScopesOf(session, access)
}

/** Of an access, however malformed, the admin scopes that there are; the server says what is wrong with the rest. */
async function adminScopesOf(session: Session, access: unknown): Promise<readonly AdminScope[]> {
  const { issuer } = await readProfile(session)
  const entries = accessSchema.safeParse(access).data ?? []
  const named = entries.filter(entry => entry.resource === `${issuer}/admin`).flatMap(entry => entry.scope.split(' '))
  return ADMIN_SCOPES.filter(scope => named.includes(scope))
}

function withClientScope(scopes: readonly AdminScope[]): readonly AdminScope[] {
  return ADMIN_SCOPES.filter(scope => scope === 'admin:clients' || scopes.includes(scope))
}
