import { hasZodFastifySchemaValidationErrors } from '@fastify/type-provider-zod'
import type { WireCode } from '../../protocol/error-catalogue.ts'
import { type Dialect, OAuthError, type WireError, wireError } from '../../protocol/errors.ts'
import { Problem } from '../../protocol/problem.ts'
import { isStorageTrouble } from '../store/storage-trouble.ts'

/** What a request gets instead of its answer, before it is put into the words of one surface. */
export type Refusal = {
  readonly status: number
  readonly error: WireCode
  readonly description: string
  /** For audit and metrics: a literal of ours. */
  readonly reason: string
  /** Members that only some OAuth errors have. */
  readonly members: Omit<WireError['body'], 'error' | 'error_description'>
  readonly retry_after?: number
}

const RETRY_AFTER_SECONDS = 2

/** What Fastify itself refuses, by status. Its own texts echo input. */
const FRAMEWORK: Readonly<Record<number, string>> = {
  400: 'The request is malformed.',
  404: 'There is nothing here.',
  412: 'A precondition of the request does not hold.',
  413: 'The body is too large.',
  414: 'The request target is too long.',
  415: 'The Content-Type is not the one that this endpoint takes.',
  416: 'The range cannot be served.',
  431: 'The headers are too large.',
  503: 'The server is stopping.',
}

/** Reads what was thrown. Undefined for a bug: that is a 500, and for the log. */
export function readRefusal(error: unknown, dialect: Dialect): Refusal | undefined {
  if (error instanceof OAuthError) return fromOAuthError(error, dialect)
  if (error instanceof Problem) {
    return {
      status: error.status,
      error: error.code,
      description: error.message,
      reason: error.reason,
      members: {},
    }
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    return invalidRequest(400, describeIssue(error.validation[0]), 'request_schema')
  }
  if (isStorageTrouble(error)) {
    return {
      status: 503,
      error: 'temporarily_unavailable',
      description: 'The service cannot answer at the moment. Try again.',
      reason: 'storage_trouble',
      members: {},
      retry_after: RETRY_AFTER_SECONDS,
    }
  }
  return fromFramework(error, dialect)
}

function fromOAuthError(error: OAuthError, dialect: Dialect): Refusal {
  const { status, body } = wireError(error, dialect)
  const { error: code, error_description, ...members } = body
  const retry_after = error.details.retry_after ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined)
  return {
    status,
    error: code,
    description: error_description,
    reason: error.reason,
    members,
    ...(retry_after !== undefined && { retry_after }),
  }
}

/** OAuth answers a wrong body with 400 `invalid_request` (RFC 6749 section 5.2), the other surfaces with 415. */
function fromFramework(error: unknown, dialect: Dialect): Refusal | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined
  const status = Number(error.statusCode)
  if (status === 403) return invalidRequest(404, FRAMEWORK[404] ?? '', 'http_404')
  const description = FRAMEWORK[status]
  if (description === undefined) return undefined
  if (status === 503) return { ...invalidRequest(503, description, 'stopping'), error: 'temporarily_unavailable' }
  return invalidRequest(status === 415 && dialect === 'oauth' ? 400 : status, description, `http_${status}`)
}

function invalidRequest(status: number, description: string, reason: string): Refusal {
  return { status, error: 'invalid_request', description, reason, members: {} }
}

type Issue = { readonly keyword: string; readonly instancePath: string; readonly message?: string }

/** Names the member, never its value; an unknown member's name is itself input. */
export function describeIssue(issue: Issue | undefined): string {
  if (issue === undefined) return 'The request is malformed.'
  const path = issue.instancePath
    .split('/')
    .filter(segment => segment !== '')
    .map(segment => (/^[A-Za-z0-9_-]{1,32}$/.test(segment) ? segment : '*'))
    .join('.')
  const member = path === '' ? 'The request' : `Member ${path}`
  if (issue.keyword === 'unrecognized_keys') return `${member} has a member that is not known here.`
  return `${member} is not accepted: ${issue.message ?? 'malformed'}`
}

/** The characters of `error_description` (RFC 6749 section 5.2); double quotes become single ones. */
export function plainText(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')
}
