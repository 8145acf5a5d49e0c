import { type Access, grants, intersect } from '../../protocol/access.ts'
import { CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../protocol/grant-types.ts'
import { parseSubjectName } from '../../protocol/names.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import { findTrustedIssuer } from '../store/trusted-issuers.ts'
import { givenAccess } from './trusted-issuer-checks.ts'

/**
 * Of the scopes of a client-level token those that its client has for this audience now: what was taken away is gone
 * at once, or its holder would take it back with the token of a moment ago (protocol.md section 11).
 */
export function standingScope({ access }: Pick<Client, 'access'>, audience: string, scope: string): readonly string[] {
  return scope.split(' ').filter(name => grants(access, audience, name))
}

/**
 * The most that a client-level token of this subject can hold now: a client's own came by client_credentials, a person's
 * by exchange, while its trusted issuer stands and lets this client present its tokens. Undefined where it could not be
 * asked for any more.
 */
export async function standingAccess(
  ctx: Context,
  { client_id, grant_types, access }: Pick<Client, 'client_id' | 'grant_types' | 'access'>,
  sub: string,
): Promise<Access | undefined> {
  if (sub === client_id) return grant_types.includes(CLIENT_CREDENTIALS_GRANT) ? access : undefined
  const subject = parseSubjectName(sub)
  if (subject?.kind !== 'user' || !grant_types.includes(TOKEN_EXCHANGE_GRANT)) return undefined
  const record = await findTrustedIssuer(ctx, subject.issuer)
  const stands = record?.status === 'active' && record.clients.includes(client_id)
  return stands ? intersect(access, givenAccess(record)) : undefined
}
