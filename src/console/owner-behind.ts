import type { AuditRowView } from '../protocol/audit-views.ts'

/** For whom the actor of an act acted; empty where the row does not say, or says it by the actor itself. */
export function ownerBehind({ actor, details: { acting_owner } }: Pick<AuditRowView, 'actor' | 'details'>): string {
  return typeof acting_owner === 'string' && acting_owner !== actor ? acting_owner : ''
}
