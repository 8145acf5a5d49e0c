import { z } from 'zod'
import { OAuthError } from '../../protocol/errors.ts'
import type { JsonValue } from '../../protocol/json.ts'
import type { ClientCredentials } from '../../protocol/token-request.ts'

/** Body of introspection and revocation (RFC 7662 section 2.1, RFC 7009 section 2.1); the hint is only a hint. */
const bodySchema = z.object({
  token: z.string().min(1).max(16_384),
  client_id: z.string().min(1).max(64).optional(),
  client_secret: z.string().min(1).max(512).optional(),
  client_assertion: z.string().min(1).max(16_384).optional(),
  client_assertion_type: z.string().max(256).optional(),
})

/** Throws `invalid_request`. */
export function readTokenParameter(body: Readonly<Record<string, JsonValue>>): {
  token: string
  credentials: ClientCredentials
} {
  const parsed = bodySchema.safeParse(body)
  if (!parsed.success) {
    throw new OAuthError('invalid_request', 'The parameter token is missing or a parameter is malformed.', {
      reason: 'malformed_parameter',
    })
  }
  const { token, ...credentials } = parsed.data
  return { token, credentials }
}
