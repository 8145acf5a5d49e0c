import { grants } from '../../../protocol/access.ts'
import type { DpopProof } from '../../../protocol/dpop.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { ClientCredentialsRequest } from '../../../protocol/token-request.ts'
import type { Client } from '../../store/clients.ts'
import type { Authorization } from '../authorization.ts'
import { checkClientProofKey } from '../client-proof-key.ts'
import type { PassContext } from '../known-records.ts'
import { ownTarget, registeredTarget, scopeRefused, unknownTarget } from '../target.ts'

/**
 * A token for the client itself (RFC 6749 section 4.4; protocol.md section 3). Without `resource`: the only audience
 * in the client's access that has these scopes. The proof key is the client's own choice, never an agent's.
 */
export async function clientCredentialsGrant(
  ctx: PassContext,
  request: ClientCredentialsRequest,
  client: Client,
  proof: DpopProof | undefined,
): Promise<Authorization> {
  await checkClientProofKey(ctx, client, proof)
  const { scope } = request
  const resource = request.resource ?? onlyResource(client, scope)
  const own = ownTarget(ctx, resource)
  if (own && !client.access.some(pair => pair.resource === resource)) throw unknownTarget()
  if (own && !scope.every(name => grants(client.access, resource, name))) throw scopeRefused()
  const target = own ?? (await registeredTarget(ctx, resource, scope, [client.access], undefined))
  return { grant: 'client_credentials', client, target, scope, sub: client.client_id, sub_profile: 'client' }
}

function onlyResource({ access }: Client, scope: readonly string[]): string {
  const [only, ...others] = access.filter(pair => scope.every(name => grants(access, pair.resource, name)))
  if (!only || others.length > 0) {
    throw new OAuthError('invalid_target', 'The scopes do not name one resource; send the resource parameter.', {
      reason: 'resource_not_unique',
    })
  }
  return only.resource
}
