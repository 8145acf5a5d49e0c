import { z } from 'zod'

/** Answer of POST /admin/v1/console/links: opens the console once, within a minute. */
export const consoleLinkSchema = z.object({ url: z.string(), expires_at: z.string() })

/** Body of POST /console/session: the code of the link, traded for a cookie once. */
export const consoleSignInSchema = z.strictObject({ code: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })

/** Who is signed in (GET /console/session). Acts carry the name of this client and owner. */
export const consoleSessionSchema = z.object({
  client_id: z.string(),
  acting_owner: z.string(),
  scope: z.array(z.string()),
  expires_at: z.string(),
})
export type ConsoleSession = z.output<typeof consoleSessionSchema>

/**
 * Answer of POST /console/session. The marker, 256 bits in base64url, is the half of the session that is not in the
 * cookie: the page sends it as `X-Remit-Console` with every request, and nobody says it again.
 */
export const consoleSignInAnswerSchema = consoleSessionSchema.extend({
  marker: z.string().describe('Sent in the header X-Remit-Console with every request of this session; shown once'),
})
export type ConsoleSignInAnswer = z.output<typeof consoleSignInAnswerSchema>
