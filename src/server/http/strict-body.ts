import { httpErrors } from '@fastify/sensible'
import type { FastifyRequest } from 'fastify'
import { OAuthError } from '../../protocol/errors.ts'
import { parseStrictForm } from '../../protocol/form.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../../protocol/json.ts'
import type { App } from './app-type.ts'

export const BODY_LIMIT = 64 * 1024
/** Prompts and tool lists are long. */
export const REGISTRATION_BODY_LIMIT = 1024 * 1024

const JSON_TYPE = /^application\/json(?:; ?charset=(?:utf-8|"utf-8"))?$/i
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=(?:utf-8|"utf-8"))?$/i

/** The routes of this plugin take strict JSON (RFC 7493) and nothing else. */
export function acceptJson(app: App, bodyLimit: number = BODY_LIMIT): void {
  acceptOnly(app, JSON_TYPE, bodyLimit, parseStrictJson)
}

/** The routes of this plugin take a strict form (RFC 6749 appendix B) and nothing else. */
export function acceptForm(app: App): void {
  acceptOnly(app, FORM_TYPE, BODY_LIMIT, parseStrictForm)
}

/** The routes of this plugin take no body. */
export function acceptNothing(app: App): void {
  app.removeAllContentTypeParsers()
}

/** One parser for every type, so that only our own reading of the header decides (attacks.md 101). */
function acceptOnly(app: App, type: RegExp, bodyLimit: number, parse: (bytes: Uint8Array) => unknown): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, async (request: FastifyRequest, bytes: Buffer) => {
    const { 'content-type': contentType = '', 'content-encoding': contentEncoding } = request.raw.headers
    if (!type.test(contentType) || contentEncoding !== undefined) throw httpErrors.unsupportedMediaType()
    return parse(bytes)
  })
}

/** The members of a JSON or form body; none where no body was sent. Throws `invalid_request` for other JSON values. */
export function bodyMembers(body: unknown): Readonly<JsonObject> {
  if (body === undefined) return {}
  if (isJsonObject(body)) return body
  throw new OAuthError('invalid_request', 'The body must be a JSON object.', { reason: 'body_not_object' })
}
