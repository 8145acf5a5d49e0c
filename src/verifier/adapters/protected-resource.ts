import { DPOP_ALGS } from '../../protocol/dpop.ts'
import type { ResourceMetadata } from '../../protocol/metadata.ts'
import type { ResourceOptions } from './resource-options.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/**
 * URL of a resource's metadata: the well-known name is put before its path, a query stays (RFC 9728 section 3.1).
 * Throws where the identifier is no http URL.
 */
export function protectedResourceUrl(resource: string): string {
  const { protocol, origin, pathname, search } = new URL(resource)
  if (protocol !== 'https:' && protocol !== 'http:') throw new TypeError('The audience is no http URL.')
  return `${origin}${WELL_KNOWN}${pathname === '/' ? '' : pathname}${search}`
}

/** The document behind that URL (RFC 9728 section 2). */
export function protectedResourceMetadata(options: ResourceOptions): Partial<ResourceMetadata> {
  const { issuer, audience, scopes_supported, resource_name } = options
  return {
    resource: audience,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: [...DPOP_ALGS],
    dpop_bound_access_tokens_required: options.dpop_bound_access_tokens_required ?? true,
    ...(scopes_supported && { scopes_supported: [...scopes_supported] }),
    ...(resource_name !== undefined && { resource_name }),
  }
}
