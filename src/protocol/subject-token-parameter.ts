import { z } from 'zod'
import { JWT_TYPE, TOKEN_EXCHANGE_GRANT } from './grant-types.ts'
import { malformed, parse, TEXT, type TokenRequestBody } from './token-parameter.ts'

/** Somebody's token and what it is said to be (RFC 8693 section 2.1). */
export type SubjectToken = { readonly token: string; readonly type: string }

const EXCHANGE_ONLY = ['requested_token_type'] as const
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

const subjectTokenSchema = z.object({
  subject_token: z.string().min(1).max(16_384).optional(),
  subject_token_type: TEXT.optional(),
})

/** RFC 8693 section 2.1: both or none, both with exchange; what is asked for is an access token. Throws `invalid_request`. */
export function readSubjectToken(body: TokenRequestBody, grant_type: string): SubjectToken | undefined {
  const { subject_token, subject_token_type } = parse(subjectTokenSchema, body)
  if (grant_type !== TOKEN_EXCHANGE_GRANT && EXCHANGE_ONLY.some(name => body[name] !== undefined)) {
    throw malformed('requested_token_type')
  }
  const { requested_token_type = ACCESS_TOKEN_TYPE } = body
  if (requested_token_type !== ACCESS_TOKEN_TYPE && requested_token_type !== JWT_TYPE) {
    throw malformed('requested_token_type')
  }
  if (subject_token === undefined && subject_token_type === undefined && grant_type !== TOKEN_EXCHANGE_GRANT) {
    return undefined
  }
  if (subject_token === undefined) throw malformed('subject_token')
  if (subject_token_type === undefined) throw malformed('subject_token_type')
  return { token: subject_token, type: subject_token_type }
}
