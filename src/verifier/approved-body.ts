import type { AccessTokenClaims } from '../protocol/claims.ts'
import { equalConstantTime, sha256Base64url } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { canonicalJson } from '../protocol/jcs.ts'
import { decodeUtf8, parseStrictJsonText } from '../protocol/json.ts'
import type { Body } from './call-binding.ts'
import { hasExactNumbers } from './exact-numbers.ts'
import { intentDenied } from './refused.ts'

/**
 * The body is what somebody approved: base64url SHA-256 over the JCS of its JSON is the digest in the token (protocol.md
 * sections 6 and 8). Throws `intent_denied`.
 */
export async function checkApprovedBody({ intent }: AccessTokenClaims, body: Body): Promise<void> {
  const approved = intent?.approval?.arguments_digest
  if (approved === undefined) throw intentDenied('approval_no_digest')
  if (body === undefined) throw intentDenied('approval_unchecked')
  if (!equalConstantTime(approved, digestOf(await body()))) throw intentDenied('approval_other_body')
}

/** Two readers of one text could read two things: it is parsed more strictly than everywhere else. */
function digestOf(bytes: Uint8Array): string {
  try {
    const text = decodeUtf8(bytes)
    const digest = sha256Base64url(canonicalJson(parseStrictJsonText(text)))
    if (hasExactNumbers(text)) return digest
  } catch (cause) {
    if (!(cause instanceof OAuthError)) throw cause
  }
  throw intentDenied('approval_no_json')
}
