import { z } from 'zod'

/** `?reason=` of a DELETE, which has no body (RFC 9110 section 9.3.5); it goes to the audit trail. */
export const reasonQuery = z.strictObject({ reason: z.string().min(1).max(200) })
