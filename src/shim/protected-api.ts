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

/** Without its last slash, so that it is a beginning of what lies below it and of nothing else. */
function baseOf(api: ProtectedApi): string | undefined {
  return normaliseHtu(api.url ?? api.resource)?.replace(/\/$/, '')
}
