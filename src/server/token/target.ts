import { type Access, grants } from '../../protocol/access.ts'
import { type Compared, OAuthError } from '../../protocol/errors.ts'
import { TOKEN_LIFETIME_DEFAULT } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { Target } from './authorization.ts'
import type { PassContext } from './known-records.ts'

/** One sentence for every cause: nobody learns from it which resources there are (attack 92). */
export const UNKNOWN_TARGET =
  'The resource is not in the access of the client, or of this agent: compare remit client show and remit agent show.'

/** Our own two APIs as targets: always interop and ES256 (protocol.md section 2). */
export function ownTarget(ctx: Context, resource: string): Target | undefined {
  const { issuer, adminAudience } = ctx.config
  if (resource !== issuer && resource !== adminAudience) return undefined
  return {
    resource,
    kind: resource === issuer ? 'issuer' : 'admin',
    token_profile: 'interop',
    signing_alg: 'ES256',
    max_token_lifetime: TOKEN_LIFETIME_DEFAULT,
    allow_bearer: false,
    workflow_names: 'plain',
    chain_disclosure: 'actors',
  }
}

/**
 * The registered API that a token is asked for, with these scopes: all within every ceiling, as pairs, else refused,
 * never narrowed (row 10 of protocol.md section 6). A scope that the API owner ties to a workflow is for a recorded step
 * only, one tied to an approval for a step that requires one. Throws `invalid_target`, `invalid_scope`.
 */
export async function registeredTarget(
  ctx: PassContext,
  resource: string,
  scope: readonly string[],
  ceilings: readonly Access[],
  step: { readonly requires_approval: boolean } | undefined,
): Promise<Target> {
  const found = await ctx.known.resource(resource)
  const known = found?.status === 'active' && ceilings.every(access => access.some(pair => pair.resource === resource))
  if (!found || !known) throw unknownTarget()
  for (const name of scope) {
    const marks = found.scopes.find(candidate => candidate.name === name)
    if (!marks || !ceilings.every(access => grants(access, resource, name))) throw scopeRefused()
    if (marks.approval && !step?.requires_approval) {
      throw new OAuthError('invalid_scope', 'The API gives a scope asked for only to a step that requires approval.', {
        ajwt_error: 'approval_required',
      })
    }
    if (marks.workflow && !step) {
      throw new OAuthError('invalid_scope', 'The API gives a scope asked for only to a recorded workflow step.', {
        ajwt_error: 'workflow_required',
      })
    }
  }
  const { token_profile, signing_alg, max_token_lifetime, allow_bearer, workflow_names, chain_disclosure } = found
  const kind = 'registered'
  return {
    ...{ resource, kind, token_profile, signing_alg, max_token_lifetime, allow_bearer, workflow_names },
    chain_disclosure,
  }
}

export function unknownTarget(compared?: Compared): OAuthError {
  return new OAuthError('invalid_target', UNKNOWN_TARGET, compared ? { compared } : {})
}

export function scopeRefused(compared?: Compared): OAuthError {
  const description = 'A scope asked for is outside what may be granted; ask for less.'
  return new OAuthError('invalid_scope', description, compared ? { compared } : {})
}
