import { OAuthError } from '../protocol/errors.ts'
import { normaliseHtu } from '../protocol/htu.ts'
import type { ProtectedApi } from './agent-options.ts'

/**
 * The API that a URL belongs to: same origin, and its path at or below; of several the one with the longest path.
 * Undefined for an address of nobody: no token is for it.
 */
export function apiOf(access: readonly ProtectedApi[], url: string): ProtectedApi | undefined {
  const called = normaliseHtu(url)
  if (called === undefined) return undefined
  const fitting = access
    .map(api => ({ api, base: baseOf(api) }))
    .filter(({ base }) => base !== undefined && (called === base || called.startsWith(`${base}/`)))
    .sort((one, other) => (other.base ?? '').length - (one.base ?? '').length)
  return fitting[0]?.api
}

/** `apiOf` that throws `invalid_target` where that finds none. */
export function apiAt(access: readonly ProtectedApi[], url: string): ProtectedApi {
  const api = apiOf(access, url)
  if (api) return api
  throw urlOfNoApi()
}

export function urlOfNoApi(): OAuthError {
  return new OAuthError('invalid_target', 'The URL belongs to none of the APIs in the access of this agent.', {
    reason: 'url_of_no_api',
  })
}

/** Two APIs at one place could not be told apart by a URL. Throws `invalid_request`. */
export function checkAccess(access: readonly ProtectedApi[]): void {
  const places = access.map(baseOf)
  if (places.every(place => place !== undefined) && new Set(places).size === places.length) return
  throw new OAuthError(
    'invalid_request',
    'Each API of access needs an http URL of its own, without its query; give url where the name is none.',
    { reason: 'api_url' },
  )
}

/** The API of this name. Throws `invalid_target` for one that the agent does not have. */
export function apiNamed(access: readonly ProtectedApi[], resource: string): ProtectedApi {
  const api = access.find(known => known.resource === resource)
  if (api) return api
  throw new OAuthError('invalid_target', 'The access of this agent has no API of that name; name it as it is there.', {
    reason: 'unknown_api',
  })
}

/** Without its last slash, so that it is a beginning of what lies below it and of nothing else. */
function baseOf(api: ProtectedApi): string | undefined {
  return normaliseHtu(api.url ?? api.resource)?.replace(/\/$/, '')
}
