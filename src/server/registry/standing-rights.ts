import { type Access, grants, intersect } from '../../protocol/access.ts'
import { CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../protocol/grant-types.ts'
import { parseSubjectName } from '../../protocol/names.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import { findToken } from '../store/tokens.ts'
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
 * by exchange, while its trusted issuer stands, lets this client present its tokens and was not changed since: by its new
 * claims, keys or `acr` it might never have been given. Undefined where it could not be asked for any more.
 */
export async function standingAccess(
  ctx: Context,
  { client_id, grant_types, access }: Pick<Client, 'client_id' | 'grant_types' | 'access'>,
  sub: string,
  token: { readonly jti: string; readonly iat: number },
): Promise<Access | undefined> {
  if (sub === client_id) return grant_types.includes(CLIENT_CREDENTIALS_GRANT) ? access : undefined
  const subject = parseSubjectName(sub)
  if (subject?.kind !== 'user' || !grant_types.includes(TOKEN_EXCHANGE_GRANT)) return undefined
  const record = await findTrustedIssuer(ctx, subject.issuer)
  if (record?.status !== 'active' || !record.clients.includes(client_id)) return undefined
  return (await isOlder(ctx, token, record.updated_at)) ? undefined : intersect(access, givenAccess(record))
}

/** Within one second the record of the token says which was first. */
async function isOlder(
  ctx: Context,
  { jti, iat }: { readonly jti: string; readonly iat: number },
  changed: Date | null,
): Promise<boolean> {
  if (changed === null || iat > epochSeconds(changed)) return false
  if (iat < epochSeconds(changed)) return true
  const issued_at = (await findToken(ctx, jti))?.issued_at
  return issued_at === undefined || issued_at <= changed
}
