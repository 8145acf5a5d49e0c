import { grants } from '../../protocol/access.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../protocol/grant-types.ts'
import type { Client } from '../store/clients.ts'

/**
 * Of the scopes of a client-level token those that its client has for this audience now: what was taken away is gone
 * at once, or its holder would take it back with the token of a moment ago (protocol.md section 11).
 */
export function standingScope({ access }: Pick<Client, 'access'>, audience: string, scope: string): readonly string[] {
  return scope.split(' ').filter(name => grants(access, audience, name))
}

/** Whether its client could still ask for such a token: a client's own came by client_credentials, a person's did not. */
export function mayStillHold(
  { client_id, grant_types }: Pick<Client, 'client_id' | 'grant_types'>,
  sub: string,
): boolean {
  return sub !== client_id || grant_types.includes(CLIENT_CREDENTIALS_GRANT)
}
