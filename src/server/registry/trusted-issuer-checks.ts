import { type Access, intersect } from '../../protocol/access.ts'
import { Problem } from '../../protocol/problem.ts'
import { purposeProblem } from '../../protocol/trusted-issuer.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findActiveClients } from '../store/clients.ts'
import type { TrustedIssuer } from '../store/trusted-issuers.ts'
import { isOwnResource } from './ceiling.ts'
import { checkAccess, checkAdminScopes } from './client-checks.ts'

/** What a machine must not do: approvals are a person's, or an operator client's (protocol.md section 6). */
const FOR_PEOPLE = ['approve:agents', 'approve:steps'] as const

/** Everything that a record may give to anybody, each pair once. */
export function givenAccess({ access, access_by_claim }: Pick<TrustedIssuer, 'access' | 'access_by_claim'>): Access {
  const all = [...(access ?? []), ...access_by_claim.flatMap(entry => entry.access)]
  return intersect(all, all)
}

/**
 * The rules of protocol.md sections 6 and 11 for a record as it would stand; what `held` had may stay. Whoever changes
 * one could let themselves in by it: the caller's own token has every admin scope that it gives. Throws Problem
 * `invalid_request`, `forbidden`.
 */
export async function checkTrustedIssuer(
  tx: Context,
  caller: Caller,
  next: TrustedIssuer,
  held?: TrustedIssuer,
): Promise<void> {
  const problem = purposeProblem(next)
  if (problem !== undefined) throw new Problem('invalid_request', problem, 'issuer_rights_missing')
  checkIssuerUrl(tx, next.issuer)
  checkPurpose(tx, next)
  const before = held ? givenAccess(held) : []
  for (const access of [next.access ?? [], ...next.access_by_claim.map(entry => entry.access)]) {
    await checkAccess(tx, caller, access, before)
  }
  const sentence = 'The record gives admin scopes that your own token has not; ask for a token with all of them.'
  checkAdminScopes(tx, caller, givenAccess(next), sentence)
  await checkClients(tx, next.clients, held?.clients ?? [])
}

/** Over http anybody on the way is the issuer; and our own tokens are no foreign ones. */
function checkIssuerUrl({ config }: Context, issuer: string): void {
  const url = URL.parse(issuer)
  if (url?.protocol !== 'https:' && !config.allowPrivateFetch) {
    throw new Problem('invalid_request', 'The issuer must be an https URL.', 'issuer_not_https')
  }
  const spellings = [issuer, url?.href ?? issuer].map(text => text.replace(/\/$/, ''))
  if (spellings.includes(config.issuer)) {
    throw new Problem('invalid_request', 'This server trusts its own tokens already.', 'own_issuer')
  }
}

/** People who start executions reach only registered APIs; operators and workloads only our own two. */
function checkPurpose({ config }: Context, next: TrustedIssuer): void {
  const { issuer, adminAudience } = config
  const given = givenAccess(next)
  if (next.purpose === 'user') {
    if (!given.some(({ resource }) => isOwnResource(resource, config))) return
    throw new Problem('invalid_request', "A user's access never names this server's own resources.", 'own_resource')
  }
  if (!given.every(({ resource }) => resource === issuer || resource === adminAudience)) {
    throw new Problem(
      'invalid_request',
      "Operators and workloads get this server's own two resources only.",
      'own_only',
    )
  }
  const admin = given.find(({ resource }) => resource === adminAudience)?.scope.split(' ') ?? []
  if (next.purpose === 'workload' && FOR_PEOPLE.some(scope => admin.includes(scope))) {
    throw new Problem('invalid_request', 'A workload approves nothing; that is for people.', 'workload_approves')
  }
}

/** A name that nobody has yet would be a claim on whoever gets it later. */
async function checkClients(tx: Context, clients: readonly string[], held: readonly string[]): Promise<void> {
  const added = [...new Set(clients)].filter(name => !held.includes(name))
  if ((await findActiveClients(tx, added)).length === added.length) return
  throw new Problem('invalid_request', 'clients names one that is not active; create it first.', 'unknown_client')
}
