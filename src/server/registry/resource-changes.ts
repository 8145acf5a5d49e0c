import type { z } from 'zod'
import { canonicalJson } from '../../protocol/jcs.ts'
import { Problem } from '../../protocol/problem.ts'
import type { ResourceUpdate, resourceChangedSchema } from '../../protocol/resource.ts'
import type { Context } from '../context.ts'
import { countHolders } from '../store/clients.ts'
import { lockResource, type Resource, updateResource } from '../store/resources.ts'
import type { Outcome } from './act.ts'
import { checkResourceClient, resourceView } from './resources.ts'

type ResourceChanged = z.output<typeof resourceChangedSchema>

const MEMBERS = [
  'scopes',
  'token_profile',
  'signing_alg',
  'max_token_lifetime',
  'allow_bearer',
  'chain_disclosure',
  'workflow_names',
  'client_id',
] as const

/**
 * Changes the members that the body names (protocol.md section 11), inside `act`. A scope that accesses name may go:
 * ceilings intersect, so nobody gets it any more. Throws Problem `not_found`, `conflict`, `invalid_request`.
 */
export async function changeResource(
  tx: Context,
  resource: string,
  body: ResourceUpdate,
): Promise<Outcome<ResourceChanged>> {
  const before = await resourceToChange(tx, resource)
  if (body.client_id !== undefined && body.client_id !== null && body.client_id !== before.client_id) {
    await checkResourceClient(tx, body.client_id)
  }
  const after: Resource = { ...before, ...body }
  const changed = Object.fromEntries(
    MEMBERS.filter(name => canonicalJson(before[name]) !== canonicalJson(after[name])).map(name => [
      name,
      { before: before[name], after: after[name] },
    ]),
  )
  const isChanged = Object.keys(changed).length > 0
  const row = isChanged ? { ...after, updated_at: tx.now() } : before
  if (isChanged) await updateResource(tx, row)
  const removed = before.scopes
    .map(scope => scope.name)
    .filter(name => !after.scopes.some(scope => scope.name === name))
  const clients = removed.length === 0 ? 0 : await countHolders(tx, resource, removed)
  return { status: 200, body: { ...resourceView(row), clients }, audit: { details: { changed, clients } } }
}

/**
 * Deletes a protected API, for good (protocol.md section 9), inside `act` with the exclusive gate as its `before`: once
 * it has answered, nothing more is minted for it. Tokens that were minted live until they expire; to end them, revoke.
 * Throws Problem `not_found`, `conflict`.
 */
export async function deleteResource(tx: Context, resource: string, reason: string): Promise<Outcome<ResourceChanged>> {
  const before = await resourceToChange(tx, resource)
  const row: Resource = { ...before, status: 'deleted', updated_at: tx.now() }
  await updateResource(tx, row)
  const clients = await countHolders(tx, resource)
  return { status: 200, body: { ...resourceView(row), clients }, audit: { details: { reason, clients } } }
}

async function resourceToChange(tx: Context, resource: string): Promise<Resource> {
  const row = await lockResource(tx, resource)
  if (!row) throw new Problem('not_found', 'There is no resource of this name.')
  if (row.status === 'active') return row
  throw new Problem('conflict', 'This resource was deleted; register another.', 'resource_not_active')
}
