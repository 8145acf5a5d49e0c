import type { z } from 'zod'
import { Problem } from '../../protocol/problem.ts'
import type { ResourceCreate, resourceSchema } from '../../protocol/resource.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findClient } from '../store/clients.ts'
import { findResource, insertResource, listResources, type Resource } from '../store/resources.ts'
import type { Outcome } from './act.ts'
import { isOwnResource } from './ceiling.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'

export type ResourceView = z.output<typeof resourceSchema>

/**
 * Registers a protected API (protocol.md section 11), inside `act`. Never one of our own two, nor anything below them.
 * Throws Problem `invalid_request`, `conflict` for a name that was ever given out.
 */
export async function createResource(
  tx: Context,
  caller: Caller,
  body: ResourceCreate,
): Promise<Outcome<ResourceView>> {
  if (isOwnResource(body.resource, tx.config)) {
    throw new Problem('invalid_request', 'The resource is one of this server; name an API of yours.', 'own_resource')
  }
  if (body.client_id !== undefined) await checkResourceClient(tx, body.client_id)
  const row: Resource = {
    ...body,
    client_id: body.client_id ?? null,
    status: 'active',
    created_at: tx.now(),
    created_by: caller.sub,
    updated_at: null,
  }
  if (!(await insertResource(tx, row))) {
    throw new Problem('conflict', 'This resource was registered before; choose another name.', 'resource_taken')
  }
  return { status: 201, body: resourceView(row), audit: { details: { resource: row.resource } } }
}

/** Throws Problem `not_found`. */
export async function getResource(ctx: Context, resource: string): Promise<ResourceView> {
  const row = await findResource(ctx, resource)
  if (!row) throw new Problem('not_found', 'There is no resource of this name.')
  return resourceView(row)
}

/** Deleted resources are left out, unless `status` asks for them. */
export async function getResources(
  ctx: Context,
  page: { cursor?: string; limit: number; status?: Resource['status'] | undefined },
): Promise<Page<ResourceView>> {
  const { cursorKey } = ctx.keys
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'resources', page.cursor) }
  const rows = await listResources(ctx, { ...after, status: page.status, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'resources', rows, page.limit, row => row.resource)
  return { items: items.map(resourceView), next_cursor }
}

/** The client as which an API introspects must be there. Throws Problem `invalid_request`. */
export async function checkResourceClient(tx: Context, client_id: string): Promise<void> {
  if ((await findClient(tx, client_id))?.status === 'active') return
  throw new Problem(
    'invalid_request',
    'There is no active client of this client_id; create it first.',
    'unknown_client',
  )
}

/** A resource as the admin API shows it. */
export function resourceView({ created_by: _, created_at, updated_at, scopes, ...shown }: Resource): ResourceView {
  return {
    ...shown,
    scopes: [...scopes],
    created_at: created_at.toISOString(),
    updated_at: updated_at?.toISOString() ?? null,
  }
}
