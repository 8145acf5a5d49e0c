import { type Access, grants } from '../../protocol/access.ts'
import { ADMIN_SCOPES, ISSUER_SCOPES } from '../../protocol/own-resources.ts'
import { Problem } from '../../protocol/problem.ts'
import { visibleText } from '../../protocol/visible-text.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, findActiveClients, lockClient } from '../store/clients.ts'
import { findResources } from '../store/resources.ts'
import { isOwnResource, registersUnapproved } from './ceiling.ts'

/** Letters of a resource that a refusal repeats. */
const MOST_SHOWN = 200

/** A client that can be changed, held for the transaction. Throws Problem `not_found`, `conflict`. */
export async function clientToChange(tx: Context, client_id: string): Promise<Client> {
  const client = await lockClient(tx, client_id)
  if (!client) throw unknownClient()
  if (client.status === 'active') return client
  throw new Problem('conflict', 'This client was revoked or deleted; create another.', 'client_not_active')
}

export function unknownClient(): Problem {
  return new Problem('not_found', 'There is no client of this client_id; "remit client list" shows those there are.')
}

/**
 * What `next` adds to `held` names what exists: our own two resources with their known scopes, registered ones with
 * theirs; admin scopes only those that the caller's token has (protocol.md section 11). What was held may stay: taking
 * away must never fail for what went before. Throws Problem `invalid_request`, `forbidden`.
 */
export async function checkAccess(tx: Context, caller: Caller, next: Access, held: Access = []): Promise<void> {
  const added = addedAccess(next, held)
  const registered = await findResources(
    tx,
    added.map(entry => entry.resource),
  )
  const known = new Map<string, readonly string[]>([
    ...registered
      .filter(resource => resource.status === 'active' && !isOwnResource(resource.resource, tx.config))
      .map(({ resource, scopes }) => [resource, scopes.map(scope => scope.name)] as const),
    [tx.config.issuer, ISSUER_SCOPES],
    [tx.config.adminAudience, ADMIN_SCOPES],
  ])
  for (const { resource, scope } of added) {
    const scopes = known.get(resource)
    if (!scopes) throw unknownResource(resource)
    if (!scope.split(' ').every(name => scopes.includes(name))) {
      throw new Problem('invalid_request', 'The access names a scope that its resource does not have.', 'unknown_scope')
    }
  }
  checkAdminScopes(tx, caller, added, 'You give only admin scopes that your own token has.')
}

/** Says which, because an example has the addresses of another server; it is the caller's own input. */
function unknownResource(resource: string): Problem {
  const sentence = `The access names a resource that is not registered: ${visibleText(resource, MOST_SHOWN)}`
  return new Problem('invalid_request', sentence, 'unknown_resource')
}

/**
 * Whoever sets a client's key or secret can act as it: the caller's token has every admin scope of the client, whose
 * credential it changes, be it its own. Throws Problem `forbidden`.
 */
export function checkMayActAs(tx: Context, caller: Caller, client: Pick<Client, 'access'>): void {
  const sentence = 'The client has admin scopes that your own token has not; ask for a token with all of them.'
  checkAdminScopes(tx, caller, client.access, sentence)
}

/**
 * Whoever lets a client go without proofs makes what is stolen from it good for more: the rule of `checkMayActAs`, for
 * what gets weaker. Throws Problem `forbidden`.
 */
export function checkWeakening(
  tx: Context,
  caller: Caller,
  client: Pick<Client, 'access' | 'policies'>,
  { policies: next }: Pick<Client, 'policies'>,
): void {
  const held = client.policies
  const weaker =
    (next.allow_bearer_admin && !held.allow_bearer_admin) ||
    (next.allow_bearer && !held.allow_bearer) ||
    (next.agent_proof === 'optional' && held.agent_proof === 'required') ||
    (next.dpop_nonce === 'optional' && held.dpop_nonce === 'required')
  if (weaker) checkMayActAs(tx, caller, client)
}

/** Throws Problem `invalid_request` for a client that production does not let register. */
export function checkApprovalPolicy(tx: Context, client: Pick<Client, 'access' | 'policies'>): void {
  if (!registersUnapproved(client, tx.config)) return
  throw new Problem(
    'invalid_request',
    'In production a client with generate:intent-token registers only with policy require_approval.',
    'approval_policy_missing',
  )
}

/**
 * A client registers for active clients only: a name that nobody has yet would be a claim on whoever gets it later.
 * Throws Problem `invalid_request`.
 */
export async function checkRegistersFor(
  tx: Context,
  names: readonly string[],
  held: readonly string[] = [],
): Promise<void> {
  const added = [...new Set(names)].filter(name => !held.includes(name))
  if ((await findActiveClients(tx, added)).length === added.length) return
  throw new Problem(
    'invalid_request',
    'registers_for names a client that is not active; create it first.',
    'unknown_client',
  )
}

function addedAccess(next: Access, held: Access): Access {
  return next
    .map(({ resource, scope }) => ({
      resource,
      scope: scope
        .split(' ')
        .filter(name => !grants(held, resource, name))
        .join(' '),
    }))
    .filter(entry => entry.scope !== '')
}

/** Throws Problem `forbidden` with this sentence where the caller's token lacks an admin scope of the access. */
export function checkAdminScopes(tx: Context, caller: Caller, access: Access, sentence: string): void {
  const admin = access.find(entry => entry.resource === tx.config.adminAudience)
  const given = admin?.scope.split(' ') ?? []
  if (given.every(name => caller.scope.includes(name))) return
  const held = ADMIN_SCOPES.filter(name => caller.scope.includes(name))
  const compared = { scopes_of_token: held.join(' '), scopes_given: given.join(' ') }
  throw new Problem('forbidden', sentence, 'admin_scope_not_held', { compared })
}
