import type { FastifyRequest } from 'fastify'
import { sha256Base64url } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { parseStrictForm } from '../../protocol/form.ts'
import {
  decodeUtf8,
  isJsonObject,
  type JsonLimits,
  type JsonObject,
  parseStrictJson,
  parseStrictJsonText,
} from '../../protocol/json.ts'
import type { App } from './app-type.ts'

export const BODY_LIMIT = 64 * 1024
/** Prompts and tool lists are long. */
export const AGENT_BODY_LIMIT = 1024 * 1024
/** A batch takes what four of the longest agents would, each nested two levels deeper. */
export const AGENT_BATCH_BODY_LIMIT = 4 * AGENT_BODY_LIMIT
export const AGENT_BATCH_LIMITS: JsonLimits = { maxDepth: 34, maxMembers: 40_000 }
/** 256 steps. More would stall the process while it is judged, and again at every list. */
export const WORKFLOW_BODY_LIMIT = 128 * 1024
export const WORKFLOW_BATCH_BODY_LIMIT = 512 * 1024

const JSON_TYPE = /^application\/json(?:; ?charset=(?:utf-8|"utf-8"))?$/i
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=(?:utf-8|"utf-8"))?$/i

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's text, on routes where the written form of a number counts. */
    bodyText: string
    /** base64url SHA-256 of the body's bytes, which a proof may name (`bd`, protocol.md section 8). */
    bodyDigest: string
  }
}

/** `acceptJson` for routes that register agents: keeps the text beside what it says. */
export function acceptRegistrations(app: App, bodyLimit: number, limits?: JsonLimits): void {
  app.decorateRequest('bodyText', '')
  acceptOnly(app, {
    type: JSON_TYPE,
    wrongType: 'Send application/json.',
    status: 415,
    bodyLimit,
    parse(bytes, request) {
      request.bodyText = decodeUtf8(bytes)
      return parseStrictJsonText(request.bodyText, limits)
    },
  })
}

/** The routes of this plugin take strict JSON (RFC 7493) and nothing else. */
export function acceptJson(app: App, bodyLimit: number = BODY_LIMIT): void {
  acceptOnly(app, {
    type: JSON_TYPE,
    wrongType: 'Send application/json.',
    status: 415,
    bodyLimit,
    parse: bytes => parseStrictJson(bytes),
  })
}

/**
 * The routes of this plugin take a strict form (RFC 6749 appendix B) and nothing else; another type is 400
 * `invalid_request` to stock clients (section 5.2).
 */
export function acceptForm(app: App): void {
  const wrongType = 'Send application/x-www-form-urlencoded.'
  acceptOnly(app, { type: FORM_TYPE, wrongType, status: 400, bodyLimit: BODY_LIMIT, parse: parseStrictForm })
}

/** The routes of this plugin take no body. */
export function acceptNothing(app: App): void {
  app.removeAllContentTypeParsers()
}

type StrictBody = {
  readonly type: RegExp
  readonly wrongType: string
  readonly status: 400 | 415
  readonly bodyLimit: number
  readonly parse: (bytes: Uint8Array, request: FastifyRequest) => unknown
}

/** One parser for every type, so that only our own reading of the header decides (attacks.md 101). */
function acceptOnly(app: App, { type, wrongType, status, bodyLimit, parse }: StrictBody): void {
  app.removeAllContentTypeParsers()
  app.decorateRequest('bodyDigest', sha256Base64url(''))
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, async (request: FastifyRequest, bytes: Buffer) => {
    const { 'content-type': contentType = '', 'content-encoding': contentEncoding } = request.raw.headers
    const refusal = { reason: 'http_415', status }
    if (!type.test(contentType)) throw new OAuthError('invalid_request', wrongType, refusal)
    request.bodyDigest = sha256Base64url(bytes)
    if (contentEncoding === undefined) return parse(bytes, request)
    throw new OAuthError('invalid_request', 'Send the body without a Content-Encoding.', refusal)
  })
}

/** The members of a JSON or form body; none where no body was sent. Throws `invalid_request` for other JSON values. */
export function bodyMembers(body: unknown): Readonly<JsonObject> {
  if (body === undefined) return {}
  if (isJsonObject(body)) return body
  throw new OAuthError('invalid_request', 'The body must be a JSON object.', { reason: 'body_not_object' })
}
