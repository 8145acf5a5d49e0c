import { z } from 'zod'
import { resourceUriSchema } from './resource-uri.ts'
import { formatScope, splitScope } from './scope.ts'

export { resourceUriSchema } from './resource-uri.ts'

/**
 * Pairs of resource and scope, the only form of rights (protocol.md section 1). On the wire the scopes of one resource
 * are one space separated list. Ceilings combine pairs, never resources and scopes apart.
 */
export type Access = readonly AccessEntry[]
export type AccessEntry = { readonly resource: string; readonly scope: string }

/** At most 64 entries, each resource once. */
export const accessSchema = z
  .array(
    z.strictObject({
      resource: resourceUriSchema,
      scope: z.string().refine(scope => splitScope(scope) !== undefined, 'must be a scope (RFC 6749 section 3.3)'),
    }),
  )
  .max(64)
  .refine(access => new Set(access.map(entry => entry.resource)).size === access.length, 'names a resource twice')

/** Whether the access has this one pair. */
export function grants(access: Access, resource: string, scope: string): boolean {
  return pairs(access).get(resource)?.has(scope) ?? false
}

/** The pairs that are in both, sorted by resource and scope. */
export function intersect(a: Access, b: Access): Access {
  const other = pairs(b)
  const shared: AccessEntry[] = []
  for (const [resource, scopes] of pairs(a)) {
    const common = [...scopes].filter(scope => other.get(resource)?.has(scope)).sort()
    if (common.length > 0) shared.push({ resource, scope: formatScope(common) })
  }
  return shared.sort((left, right) => (left.resource < right.resource ? -1 : 1))
}

/** Whether every pair of `inner` is in `outer`. */
export function isWithin(inner: Access, outer: Access): boolean {
  const ceiling = pairs(outer)
  return [...pairs(inner)].every(([resource, scopes]) =>
    [...scopes].every(scope => ceiling.get(resource)?.has(scope) ?? false),
  )
}

/** Access as people read it: `https://a.example read write; https://b.example read`. */
export function accessText(access: Access): string {
  return access.map(({ resource, scope }) => `${resource} ${scope}`).join('; ')
}

function pairs(access: Access): Map<string, Set<string>> {
  const byResource = new Map<string, Set<string>>()
  for (const { resource, scope } of access) {
    const scopes = byResource.get(resource) ?? new Set()
    for (const token of scope.split(' ')) if (token !== '') scopes.add(token)
    byResource.set(resource, scopes)
  }
  return byResource
}
