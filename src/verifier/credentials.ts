import { OAuthError } from '../protocol/errors.ts'

export type Credentials = { readonly scheme: 'DPoP' | 'Bearer'; readonly token: string }

/** token68 of RFC 9110 section 11.2, which holds every compact JWS. */
const CREDENTIALS = /^(dpop|bearer) +([A-Za-z0-9\-._~+/]+=*)$/i

/**
 * The access token of an Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1); the scheme in any letter
 * case. Throws `invalid_token`, with reason `token_missing` where none was sent.
 */
export function readCredentials(authorization: string | undefined): Credentials {
  if (authorization === undefined) throw refusal('An access token is required.', 'token_missing')
  const [, scheme, token] = CREDENTIALS.exec(authorization) ?? []
  if (scheme === undefined || token === undefined) {
    throw refusal('The Authorization header is not of scheme DPoP or Bearer.', 'token_malformed')
  }
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_token', description, { reason })
}
