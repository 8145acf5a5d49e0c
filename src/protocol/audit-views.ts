import { z } from 'zod'

/** One row of the audit trail (GET /admin/v1/audit, newest first; with `after` oldest first). */
export const auditRowSchema = z.object({
  id: z.string(),
  at: z.string(),
  action: z.string(),
  outcome: z.enum(['success', 'refused']),
  reason: z.string().nullable(),
  actor: z.string(),
  client_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  execution_id: z.string().nullable(),
  jti: z.string().nullable(),
  request_id: z.string(),
  address: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  /** Hex SHA-256 over 0x00 and the row's canonical JSON: whoever keeps an export can tell a later edit. */
  leaf_hash: z.string(),
})
export type AuditRowView = z.output<typeof auditRowSchema>

/** Answer of GET /admin/v1/explain/{id}: which check decided, against what, and what mends it. */
export const explanationSchema = z.object({
  /** What `id` was taken for. */
  kind: z.enum(['token', 'audit', 'request']),
  id: z.string(),
  /** The audit rows it concerns, oldest first. */
  rows: z.array(auditRowSchema),
  outcome: z.enum(['success', 'refused']),
  reason: z.string().nullable(),
  /** One sentence: what was checked. */
  check: z.string(),
  /** What was asked beside what the registry holds now, as plain pairs. */
  facts: z.array(z.object({ name: z.string(), value: z.string() })),
  /** One sentence: what to do next. */
  mend: z.string(),
  /** A command line that does it, with the ids filled in; null where only judgement helps. */
  command: z.string().nullable(),
  error_uri: z.string().nullable(),
})
export type Explanation = z.output<typeof explanationSchema>
