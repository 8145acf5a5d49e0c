import type { AuditRowView } from './audit-views.ts'
import { sha256 } from './digest.ts'
import { canonicalJson } from './jcs.ts'

/** What a leaf hash covers: the whole row but the hash itself. */
export type AuditLeaf = Omit<AuditRowView, 'leaf_hash'>

/** SHA-256(0x00 || JCS(row)), reliability.md section 5: whoever keeps it can tell a later edit of the row. */
export function auditLeafHash(row: AuditLeaf): Buffer {
  return sha256(`\0${canonicalJson({ ...row })}`)
}
