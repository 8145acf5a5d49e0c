import { OAuthError } from './errors.ts'

const MAX_TOKENS = 64
const MAX_TOKEN_LENGTH = 256
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether one value is a scope-token (RFC 6749 section 3.3) of at most 256 characters. */
export function isScopeToken(token: string): boolean {
  return token.length <= MAX_TOKEN_LENGTH && TOKEN.test(token)
}

/** Splits a scope value (RFC 6749 section 3.3) in its order: 1 to 64 tokens, each once. Throws `invalid_scope`. */
export function parseScope(scope: string): readonly string[] {
  const tokens = splitScope(scope)
  if (!tokens) {
    throw new OAuthError('invalid_scope', 'The scope is empty or malformed.', { reason: 'malformed_scope' })
  }
  return tokens
}

/** `parseScope` that answers undefined where that throws. */
export function splitScope(scope: string): readonly string[] | undefined {
  if (scope.length > MAX_TOKENS * (MAX_TOKEN_LENGTH + 1)) return undefined
  const tokens = scope.split(' ')
  if (tokens.length > MAX_TOKENS || !tokens.every(isScopeToken)) return undefined
  return new Set(tokens).size === tokens.length ? tokens : undefined
}

/** The wire form of scope tokens. */
export function formatScope(tokens: Iterable<string>): string {
  return [...tokens].join(' ')
}
