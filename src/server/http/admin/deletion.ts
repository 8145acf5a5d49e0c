import { z } from 'zod'
import { reasonSchema } from '../../../protocol/reason.ts'

/** `?reason=` of a DELETE, which has no body (RFC 9110 section 9.3.5); it goes to the audit trail. */
export const reasonQuery = z.strictObject({ reason: reasonSchema })
