import type { z } from 'zod'
import type { clientSchema } from '../protocol/client.ts'

type Sent = z.output<typeof clientSchema>

/** What the page shows of a client. The server names the policies; the page lists whichever it names. */
export type ClientView = Omit<Sent, 'jwks' | 'policies' | 'updated_at'> & {
  readonly policies: Readonly<Record<string, unknown>>
}
