import { z } from 'zod'
import { resourceUriSchema } from './resource-uri.ts'

/** Entries of one report; whoever counts more kinds puts the rest together under `OTHER_REASON`. */
export const MAX_REFUSAL_REASONS = 64
/** Refusals of one reason in one report. */
export const MAX_REFUSALS = 1_000_000
/** Stands for every word that the server does not know. */
export const OTHER_REASON = 'other'

/** A machine word; the server takes it for `OTHER_REASON` where its error catalogue has no such reason. */
export const refusalReasonSchema = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'A reason is a word of ours.')

/** Body of POST /intent/refusals (protocol.md section 2): what an API refused since its last report, by reason only. */
export const refusalReportSchema = z.strictObject({
  counts: z
    .array(z.strictObject({ reason: refusalReasonSchema, n: z.int().min(1).max(MAX_REFUSALS) }))
    .min(1)
    .max(MAX_REFUSAL_REASONS),
  /** Which API; every one of the client's unless told. */
  resource: resourceUriSchema.optional(),
})
export type RefusalReport = z.output<typeof refusalReportSchema>

/** What was put into metrics and audit. */
export const refusalsRecordedSchema = z.object({
  resources: z.array(z.string()),
  counts: z.array(z.object({ reason: z.string(), n: z.int() })),
})
export type RefusalsRecorded = z.output<typeof refusalsRecordedSchema>
