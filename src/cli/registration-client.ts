import type { IssuerScope } from '../protocol/own-resources.ts'
import { issuerOf } from './profile.ts'
import { type ProtectedClient, protectedClient } from './protected-client.ts'
import type { Session } from './session.ts'
import { type ClientCredential, discover } from './token-client.ts'

/** The registration API as one client, or as whoever a foreign token names, with one scope or two. Throws CliFailure. */
export async function registrationClient(
  session: Session,
  credential: ClientCredential,
  scope: IssuerScope | `${IssuerScope} ${IssuerScope}`,
  subject_token?: string,
): Promise<ProtectedClient> {
  const metadata = await discover(await issuerOf(session))
  const { issuer } = metadata
  return protectedClient(session, { metadata, credential, resource: issuer, scope, baseUrl: issuer, subject_token })
}
