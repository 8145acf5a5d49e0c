import { z } from 'zod'
import { readBounded } from '../protocol/bounded-body.ts'
import { parseStrictJson } from '../protocol/json.ts'

const MAX_BYTES = 65_536

/** Of a form that no token, no address and no sentence has: it stands in logs. */
const refusalSchema = z.looseObject({ error: z.string().regex(/^[a-z_]{1,64}$/) })

/** The `error` of a server's refusal (RFC 6749 section 5.2); undefined where it said none. */
export async function errorCodeOf(response: Response): Promise<string | undefined> {
  try {
    return refusalSchema.safeParse(parseStrictJson(await readBounded(response, MAX_BYTES))).data?.error
  } catch {
    return undefined
  }
}
