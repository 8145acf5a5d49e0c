import { z } from 'zod'

/*
 * A backup is gzip'd text: a header, for each table its name and one JSON object a row as Postgres writes it, and an end
 * with the count of rows and the SHA-256 of every line before it. Rows are never parsed here, so that no number changes.
 */
export const HEADER_MARK = '# remit-backup '
export const TABLE_MARK = '# table '
export const END_MARK = '# end '

/**
 * What is backed up, each table after those it refers to. Not `replay` and `console_session`: the epoch of a restore
 * ends both; nor what webhooks still had to tell, nor counts of the last minutes.
 */
export const BACKED_UP_TABLES = [
  'client',
  'client_secret',
  'resource',
  'agent',
  'agent_key',
  'agent_key_endorsement',
  'registration',
  'workflow',
  'workflow_version',
  'token',
  'revocation',
  'signing_key',
  'sealing_canary',
  'server_secret',
  'bootstrap',
  'second_administrator',
  'idempotency',
  'audit_event',
  'shim_release',
  'restore_epoch',
  'trusted_issuer',
  'execution',
  'execution_step',
  'approval',
  'delegation',
  'webhook',
] as const
export type BackedUpTable = (typeof BACKED_UP_TABLES)[number]

export const NOT_BACKED_UP = [
  'replay',
  'console_session',
  'webhook_delivery',
  'request_count',
  'kysely_migration',
  'kysely_migration_lock',
] as const

export const headerSchema = z.strictObject({
  format: z.literal(1),
  created_at: z.iso.datetime(),
  issuer: z.string(),
  /** The newest migration of the database: a restore begins at the same. */
  migration: z.string(),
})
export type BackupHeader = z.output<typeof headerSchema>

export const endSchema = z.strictObject({ rows: z.int().min(0), sha256: z.string() })
