import { z } from 'zod'
import { OAuthError } from './errors.ts'
import { isJsonObject, type JsonValue } from './json.ts'

/** A token request as JSON, whichever form it came in. */
export type TokenRequestBody = Readonly<Record<string, JsonValue>>

export const TEXT = z.string().min(1).max(2048)

/** The parameters of one schema. Throws `invalid_request`. */
export function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(isJsonObject(body) ? body : {})
  if (result.success) return result.data
  throw malformed(String(result.error.issues[0]?.path[0] ?? 'body'))
}

/** `invalid_request`; `parameter` is a name from a schema, never input. */
export function malformed(parameter: string): OAuthError {
  return new OAuthError('invalid_request', `The parameter ${parameter} is missing or malformed.`, {
    reason: 'malformed_parameter',
  })
}
