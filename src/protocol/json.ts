import { OAuthError } from './errors.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export type JsonObject = { [name: string]: JsonValue }

/** How deep a text may nest and how many members it may have in all, where a reader takes more than usual. */
export type JsonLimits = { readonly maxDepth?: number; readonly maxMembers?: number }

const MAX_DEPTH = 32
const MAX_MEMBERS = 10_000
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y

/** An object, not null and not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Parses UTF-8 JSON as I-JSON (RFC 7493) and refuses what two parsers could read differently: invalid UTF-8, a BOM,
 * duplicate members, lone surrogates, U+0000, unsafe integers, overflowing numbers, prototype names, deep nesting,
 * more than 10,000 members.
 * Throws `invalid_request`.
 */
export function parseStrictJson(bytes: Uint8Array, limits?: JsonLimits): JsonValue {
  return parseStrictJsonText(decodeUtf8(bytes), limits)
}

/** `parseStrictJson` for text that is already decoded. Throws `invalid_request`. */
export function parseStrictJsonText(text: string, limits?: JsonLimits): JsonValue {
  if (text.charCodeAt(0) === 0xfeff) throw refusal('The JSON text starts with a byte order mark.', 'json_bom')
  scan(text, limits?.maxDepth ?? MAX_DEPTH, limits?.maxMembers ?? MAX_MEMBERS)
  return parseNative(text)
}

/** Fatal UTF-8; a BOM stays in the text. Throws `invalid_request`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch (cause) {
    throw new OAuthError('invalid_request', 'The text is not valid UTF-8.', { reason: 'invalid_utf8', cause })
  }
}

function parseNative(text: string): JsonValue {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refusal('The JSON text is malformed.', 'json_malformed', cause)
  }
}

/** One open `{` or `[`: the member that holds it, its member names so far, and the last of them. */
type Frame = { heldBy: string | undefined; names: string[] | Set<string>; last: string | undefined }

/** In an object of few members a look at each of them is quicker than a set. */
const FEW_MEMBERS = 16

/**
 * Looks only for what JSON.parse lets pass, in one pass and without recursion; the grammar itself is left to
 * JSON.parse, which runs after. In well-formed JSON a string before a colon is always a member name.
 */
function scan(text: string, maxDepth: number, maxMembers: number): void {
  // Without an escape, what no string may hold is nowhere in the text.
  const plain = !text.includes('\\')
  if (plain) checkString(text)
  const open: Frame[] = []
  let members = 0
  let at = 0
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === BRACE_OPEN || char === BRACKET_OPEN) {
      if (open.length === maxDepth) throw refusal('The JSON text is nested too deeply.', 'json_depth')
      open.push({ heldBy: open.at(-1)?.last, names: [], last: undefined })
      at += 1
    } else if (char === BRACE_CLOSE || char === BRACKET_CLOSE) {
      open.pop()
      at += 1
    } else if (char === QUOTE) {
      const start = at
      const end = plain ? endOfPlainString(text, at) : endOfString(text, at)
      at = skipSpace(text, end)
      const frame = open.at(-1)
      const isName = text.charCodeAt(at) === COLON && frame !== undefined
      const value = isName || !plain ? readString(text.slice(start, end), plain) : ''
      if (isName) {
        members += 1
        if (members > maxMembers) throw refusal('The JSON text has too many members.', 'json_members')
        enterMember(frame, value)
      }
    } else if (char === MINUS || (char >= ZERO && char <= NINE)) {
      at = endOfNumber(text, at)
    } else {
      at += 1
    }
  }
}

const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d]
const [QUOTE, BACKSLASH, COLON, MINUS, ZERO, NINE] = [0x22, 0x5c, 0x3a, 0x2d, 0x30, 0x39]

function endOfPlainString(text: string, start: number): number {
  const end = text.indexOf('"', start + 1)
  return end === -1 ? text.length + 1 : end + 1
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at + 1
}

function skipSpace(text: string, start: number): number {
  let at = start
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}

function readString(literal: string, plain: boolean): string {
  if (plain) return literal.slice(1, -1)
  const value = literal.includes('\\') ? parseNative(literal) : literal.slice(1, -1)
  if (typeof value !== 'string') throw refusal('The JSON text is malformed.', 'json_malformed')
  checkString(value)
  return value
}

function checkString(value: string): void {
  if (value.includes('\u0000')) throw refusal('The JSON text contains U+0000.', 'json_nul')
  if (!value.isWellFormed()) throw refusal('The JSON text contains a lone surrogate.', 'json_lone_surrogate')
}

function enterMember(frame: Frame, name: string): void {
  const { names } = frame
  const isTaken = Array.isArray(names) ? names.includes(name) : names.has(name)
  if (isTaken) throw refusal('A JSON object has two members of one name.', 'json_duplicate_member')
  if (name === '__proto__' || (name === 'prototype' && frame.heldBy === 'constructor')) {
    throw refusal('A JSON object has a member of a forbidden name.', 'json_forbidden_member')
  }
  if (!Array.isArray(names)) names.add(name)
  else if (names.push(name) > FEW_MEMBERS) frame.names = new Set(names)
  frame.last = name
}

function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start
  const match = NUMBER.exec(text)
  if (!match) return start + 1
  const value = Number(match[0])
  const isInteger = match[1] === undefined && match[2] === undefined
  if (isInteger ? !Number.isSafeInteger(value) : !Number.isFinite(value)) {
    throw refusal('A JSON number is outside the range that every reader keeps exactly.', 'json_number')
  }
  return start + match[0].length
}

function refusal(description: string, reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', description, { reason, cause })
}
