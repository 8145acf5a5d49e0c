import type { ClientCreate } from '../../protocol/client.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, type ClientFilter, findClient, insertClient, listClients } from '../store/clients.ts'
import type { Outcome } from './act.ts'
import { checkAccess, checkApprovalPolicy, checkRegistersFor, unknownClient } from './client-checks.ts'
import { clientJwks } from './client-keys.ts'
import { addSecret } from './client-secrets.ts'
import { type ClientCreated, type ClientView, viewOf, viewsOf } from './client-view.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { noteAdministrators } from './only-administrator.ts'

/**
 * Creates a client (protocol.md section 11), inside `act`. `keysProblem` is what `tryJwksUri` found. Throws Problem
 * `invalid_request`, `invalid_client_metadata`, `forbidden` for admin scopes the caller has not, `conflict` for a name
 * that was ever given out; `invalid_request` for a weak key.
 */
export async function createClient(
  tx: Context,
  caller: Caller,
  body: ClientCreate,
  keysProblem?: Problem,
): Promise<Outcome<ClientCreated>> {
  if (keysProblem) throw keysProblem
  await checkAccess(tx, caller, body.access)
  checkApprovalPolicy(tx, body)
  await checkRegistersFor(tx, body.registers_for)
  const client: Client = {
    client_id: body.client_id ?? newClientId(tx),
    client_name: body.client_name,
    owner: body.owner,
    kind: body.kind,
    token_endpoint_auth_method: body.token_endpoint_auth_method,
    jwks: body.jwks === undefined ? null : await clientJwks(tx, body.jwks),
    jwks_uri: body.jwks_uri ?? null,
    grant_types: [...new Set(body.grant_types)],
    access: body.access,
    registers_for: [...new Set(body.registers_for)],
    policies: body.policies,
    status: 'active',
    created_at: tx.now(),
    created_by: caller.sub,
    updated_at: null,
  }
  if (!(await insertClient(tx, client))) {
    throw new Problem('conflict', 'This client_id was given out before; choose another.', 'client_id_taken')
  }
  await noteAdministrators(tx)
  const { client_id } = client
  const audit = { client_id, details: { kind: client.kind, owner: client.owner } }
  if (client.token_endpoint_auth_method === 'private_key_jwt') {
    return { status: 201, body: await viewOf(tx, client), audit }
  }
  const client_secret = await addSecret(tx, client_id)
  const view = await viewOf(tx, client)
  return { status: 201, body: { ...view, client_secret }, replayBody: view, audit }
}

/** A deleted client shows too, as what is left of it. Throws Problem `not_found`. */
export async function getClient(ctx: Context, client_id: string): Promise<ClientView> {
  const client = await findClient(ctx, client_id)
  if (!client) throw unknownClient()
  return await viewOf(ctx, client)
}

/** Deleted clients are left out, unless `status` asks for them. */
export async function getClients(
  ctx: Context,
  page: ClientFilter & { cursor?: string; limit: number },
): Promise<Page<ClientView>> {
  const { cursorKey } = ctx.keys
  const { cursor, limit, ...filter } = page
  const after = cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'clients', cursor) }
  const rows = await listClients(ctx, { ...filter, ...after, limit: limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'clients', rows, limit, row => row.client_id)
  return { items: await viewsOf(ctx, items), next_cursor }
}

export function newClientId(ctx: Context): string {
  return `cli_${ctx.randomId()}`
}
