import type { RegistrationView } from './agent-views.ts'

type Decided = Pick<RegistrationView, 'status' | 'rejected_at' | 'approved_at'> & {
  readonly pending_for: readonly string[]
}

/**
 * The state of a version by name, for people. The record calls all of these `retired` (protocol.md section 4): one that was
 * turned down, one that waited until another took its place, and one that counted.
 */
export function versionState(version: Decided): string {
  if (version.status !== 'retired') return version.status
  if (version.rejected_at !== null) return 'rejected'
  return everCounted(version) ? 'retired' : 'replaced'
}

/** Whether a version has ever counted: it did not wait, or was approved. */
export function everCounted({ status, pending_for, approved_at, rejected_at }: Decided): boolean {
  return status !== 'pending' && rejected_at === null && (pending_for.length === 0 || approved_at !== null)
}

/** Whether a rollback made this version: it never waited, and all the same somebody let it count. */
export function cameBack({ pending_for, approved_at }: Pick<Decided, 'pending_for' | 'approved_at'>): boolean {
  return pending_for.length === 0 && approved_at !== null
}
