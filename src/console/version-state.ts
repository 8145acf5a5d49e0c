import type { RegistrationView } from '../protocol/agent-views.ts'

/** The state of a version by name, as the command line says it: one that was rejected never counted. */
export function versionState({ status, rejected_at }: Pick<RegistrationView, 'status' | 'rejected_at'>): string {
  return status === 'retired' && rejected_at !== null ? 'rejected' : status
}
