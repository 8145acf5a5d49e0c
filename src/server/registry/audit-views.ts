import type { AuditRowView } from '../../protocol/audit-views.ts'
import type { StoredAuditRow } from '../store/audit.ts'

/** A row of the trail as the admin API shows it. */
export function auditRowView({ at, details, leaf_hash, ...row }: StoredAuditRow): AuditRowView {
  return { ...row, at: at.toISOString(), details: { ...details }, leaf_hash: leaf_hash.toString('hex') }
}
