import { z } from 'zod'
import type { Access } from '../../protocol/access.ts'
import { type ClientCreate, clientSchema } from '../../protocol/client.ts'
import { sha256 } from '../../protocol/digest.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { ADMIN_SCOPES, ISSUER_SCOPES } from '../../protocol/own-resources.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, findClient, insertClient, insertSecret, listClients } from '../store/clients.ts'
import { findResources } from '../store/resources.ts'
import type { ClientJwk, PublicJwk } from '../store/schema.ts'
import type { Outcome } from './act.ts'
import { isOwnResource, registersUnapproved } from './ceiling.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'

export const clientCreatedSchema = clientSchema.extend({ client_secret: z.string().optional() })
export type ClientView = z.output<typeof clientSchema>
type ClientCreated = z.output<typeof clientCreatedSchema>

/**
 * Creates a client (protocol.md section 11), inside `act`. A secret is 256 random bits, answered once and kept as its
 * digest. Throws Problem `invalid_request`, `forbidden` for admin scopes the caller has not, `conflict` for a name
 * that was ever given out; `invalid_request` for a weak key.
 */
export async function createClient(tx: Context, caller: Caller, body: ClientCreate): Promise<Outcome<ClientCreated>> {
  await checkAccess(tx, caller, body.access)
  if (registersUnapproved(body, tx.config)) {
    throw new Problem(
      'invalid_request',
      'In production a client with generate:intent-token registers only with policy require_approval.',
      'approval_policy_missing',
    )
  }
  const client: Client = {
    client_id: body.client_id ?? newClientId(tx),
    client_name: body.client_name,
    owner: body.owner,
    kind: body.kind,
    token_endpoint_auth_method: body.token_endpoint_auth_method,
    jwks: body.jwks === undefined ? null : await clientJwks(tx, body.jwks),
    grant_types: [...new Set(body.grant_types)],
    access: body.access,
    registers_for: [...new Set(body.registers_for)],
    policies: body.policies,
    jwks_uri: null,
    status: 'active',
    created_at: tx.now(),
    created_by: caller.sub,
    updated_at: null,
  }
  if (!(await insertClient(tx, client))) {
    throw new Problem('conflict', 'This client_id was given out before; choose another.', 'client_id_taken')
  }
  const { client_id } = client
  const view = clientView(client)
  const audit = { client_id, details: { kind: client.kind, owner: client.owner } }
  if (client.token_endpoint_auth_method === 'private_key_jwt') return { status: 201, body: view, audit }
  const client_secret = `${tx.randomId()}${tx.randomId()}`
  const secret_digest = sha256(client_secret)
  await insertSecret(tx, { client_id, secret_digest, created_at: client.created_at, expires_at: null })
  return { status: 201, body: { ...view, client_secret }, replayBody: view, audit }
}

/** Throws Problem `not_found`. */
export async function getClient(ctx: Context, client_id: string): Promise<ClientView> {
  const client = await findClient(ctx, client_id)
  if (!client) throw new Problem('not_found', 'There is no client of this client_id.')
  return clientView(client)
}

export async function getClients(ctx: Context, page: { cursor?: string; limit: number }): Promise<Page<ClientView>> {
  const { cursorKey } = ctx.keys
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'clients', page.cursor) }
  const rows = await listClients(ctx, { ...after, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'clients', rows, page.limit, row => row.client_id)
  return { items: items.map(clientView), next_cursor }
}

export function newClientId(ctx: Context): string {
  return `cli_${ctx.randomId()}`
}

/** A client's keys in their canonical members, none of them ours. Throws `invalid_request`. */
export async function clientJwks(ctx: Context, jwks: unknown): Promise<{ keys: readonly ClientJwk[] }> {
  const keys = await parseJwks(jwks)
  const ours = new Set(ctx.keys.published().map(key => key.kid))
  if (keys.some(key => ours.has(key.jkt))) {
    throw new Problem('invalid_request', "A key is one of this server's own.", 'own_key')
  }
  return {
    keys: keys.map(({ jwk, kid, algs }) => ({ ...jwk, ...(kid !== undefined && { kid }), ...boundAlg(jwk, algs) })),
  }
}

/** An RSA key that its owner bound to one algorithm stays bound to it (RFC 8725 section 3.1). */
function boundAlg({ kty }: PublicJwk, algs: readonly string[]): { alg?: string } {
  const [alg, ...others] = algs
  return kty === 'RSA' && alg !== undefined && others.length === 0 ? { alg } : {}
}

export function clientView(client: Client): ClientView {
  const { created_by: _, created_at, updated_at, ...shown } = client
  return {
    ...shown,
    grant_types: [...client.grant_types],
    access: [...client.access],
    registers_for: [...client.registers_for],
    created_at: created_at.toISOString(),
    updated_at: updated_at?.toISOString() ?? null,
  }
}

/** Access names what exists: our own two resources with their known scopes, registered ones with theirs. */
async function checkAccess(tx: Context, caller: Caller, access: Access): Promise<void> {
  const registered = await findResources(
    tx,
    access.map(entry => entry.resource),
  )
  const known = new Map<string, readonly string[]>([
    ...registered
      .filter(resource => resource.status === 'active' && !isOwnResource(resource.resource, tx.config))
      .map(({ resource, scopes }) => [resource, scopes.map(scope => scope.name)] as const),
    [tx.config.issuer, ISSUER_SCOPES],
    [tx.config.adminAudience, ADMIN_SCOPES],
  ])
  for (const { resource, scope } of access) {
    const scopes = known.get(resource)
    if (!scopes)
      throw new Problem('invalid_request', 'The access names a resource that is not registered.', 'unknown_resource')
    if (!scope.split(' ').every(name => scopes.includes(name))) {
      throw new Problem('invalid_request', 'The access names a scope that its resource does not have.', 'unknown_scope')
    }
    if (resource === tx.config.adminAudience && !scope.split(' ').every(name => caller.scope.includes(name))) {
      throw new Problem('forbidden', 'You give only admin scopes that your own token has.', 'admin_scope_not_held')
    }
  }
}
