import { type Access, accessText, grants, intersect } from '../../../protocol/access.ts'
import type { DpopProof } from '../../../protocol/dpop.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { TokenExchangeRequest } from '../../../protocol/token-request.ts'
import type { Context } from '../../context.ts'
import type { Client } from '../../store/clients.ts'
import type { Authorization } from '../authorization.ts'
import { checkClientProofKey } from '../client-proof-key.ts'
import type { PassContext } from '../known-records.ts'
import { readForeignSubject } from '../subject-token.ts'
import { ownTarget, scopeRefused, unknownTarget } from '../target.ts'

/**
 * Token exchange without an agent (RFC 8693; protocol.md section 6 (b)): a client-level token for a person or workload
 * of a trusted issuer, at `<issuer>` or `<issuer>/admin`, within what both the client and the issuer have. Without
 * `resource`: the one of the two that has these scopes. Reads only.
 */
export async function tokenExchangeGrant(
  ctx: PassContext,
  { subject_token, scope, resource: asked }: TokenExchangeRequest,
  client: Client,
  proof: DpopProof | undefined,
): Promise<Authorization> {
  await checkClientProofKey(ctx, client, proof)
  const { client_id } = client
  const purposes = ['operator', 'workload'] as const
  const subject = await readForeignSubject(ctx, subject_token, { client_id, purposes, proof })
  ctx.known.relyOn(subject.record)
  const access = intersect(client.access, subject.access ?? [])
  const compared = { issuer_access: accessText(access) }
  const target = ownTarget(ctx, asked ?? onlyOwnResource(ctx, access, scope))
  if (!target || !access.some(pair => pair.resource === target.resource)) throw unknownTarget(compared)
  if (!scope.every(name => grants(access, target.resource, name))) throw scopeRefused(compared)
  return {
    grant: 'token_exchange',
    client,
    target,
    scope,
    sub: subject.sub,
    sub_profile: subject.purpose === 'workload' ? 'workload' : 'user',
    not_after: subject.expires_at,
    exchanged: true,
  }
}

function onlyOwnResource({ config }: Context, access: Access, scope: readonly string[]): string {
  const own = [config.issuer, config.adminAudience]
  const [only, ...others] = own.filter(resource => scope.every(name => grants(access, resource, name)))
  if (only !== undefined && others.length === 0) return only
  throw new OAuthError('invalid_target', 'The scopes do not name one resource; send the resource parameter.', {
    reason: 'resource_not_unique',
    compared: { issuer_access: accessText(access) },
  })
}
