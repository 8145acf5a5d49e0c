/** What of a version says whether it ever counted. */
type Decided = {
  readonly status: string
  readonly pending_for: readonly string[]
  readonly approved_at: unknown
  readonly rejected_at: unknown
}

/**
 * Whether a version that ended has ever counted: it did not wait, or was approved. Only such content may come back
 * without being looked at again.
 */
export function hasCounted({ status, pending_for, approved_at, rejected_at }: Decided): boolean {
  if (status !== 'retired' && status !== 'draining') return false
  return rejected_at === null && (pending_for.length === 0 || approved_at !== null)
}

/**
 * The version that a rollback means where none is named: the newest that counted before the active one and has other
 * content; without an active one the newest that counted. `versions` newest first.
 */
export function rollbackTarget<T extends Decided & { readonly version: number; readonly checksum: string }>(
  versions: readonly T[],
): T | undefined {
  const active = versions.find(version => version.status === 'active')
  return versions.find(
    version =>
      hasCounted(version) &&
      (active === undefined || (version.version < active.version && version.checksum !== active.checksum)),
  )
}
