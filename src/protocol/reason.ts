import { z } from 'zod'

/** Why somebody did something: their own words, for the audit trail and whoever reads the record later. */
export const reasonSchema = z.string().min(1).max(200)
