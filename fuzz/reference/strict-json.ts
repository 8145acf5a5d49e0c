/*
 * A second reading of strict JSON, from RFC 8259, RFC 7493 and attacks.md 100 to 103 alone: by descent, where the code
 * under test looks for what JSON.parse lets pass.
 */

export type Read = { readonly value: unknown } | undefined

type Cursor = { readonly text: string; at: number; members: number }

const MAX_DEPTH = 32
const MAX_MEMBERS = 10_000
const NUMBER = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/
const ESCAPED: Readonly<Record<string, string>> = {
  ...{ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
}

class Malformed extends Error {}

/** The value of a text that every reader reads alike; undefined for any other. */
export function readStrictJson(text: string): Read {
  const cursor: Cursor = { text, at: 0, members: 0 }
  try {
    const value = readValue(cursor, 0, '')
    skipSpace(cursor)
    return cursor.at === text.length ? { value } : undefined
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function readValue(cursor: Cursor, depth: number, heldBy: string): unknown {
  skipSpace(cursor)
  const next = cursor.text[cursor.at]
  if (next === '{') return readObject(cursor, depth + 1, heldBy)
  if (next === '[') return readArray(cursor, depth + 1)
  if (next === '"') return readText(cursor)
  for (const [word, value] of [
    ['true', true],
    ['false', false],
    ['null', null],
  ] as const) {
    if (!cursor.text.startsWith(word, cursor.at)) continue
    cursor.at += word.length
    return value
  }
  return readNumber(cursor)
}

function readObject(cursor: Cursor, depth: number, heldBy: string): unknown {
  if (depth > MAX_DEPTH) throw new Malformed()
  const members = new Map<string, unknown>()
  for (let more = opens(cursor, '}'); more; more = goesOn(cursor, '}')) {
    skipSpace(cursor)
    const name = readText(cursor)
    const isForbidden = name === '__proto__' || (heldBy === 'constructor' && name === 'prototype')
    cursor.members += 1
    if (isForbidden || members.has(name) || cursor.members > MAX_MEMBERS) throw new Malformed()
    skipSpace(cursor)
    take(cursor, ':')
    members.set(name, readValue(cursor, depth, name))
  }
  return Object.fromEntries(members)
}

function readArray(cursor: Cursor, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new Malformed()
  const items: unknown[] = []
  for (let more = opens(cursor, ']'); more; more = goesOn(cursor, ']')) items.push(readValue(cursor, depth, ''))
  return items
}

/** Past the bracket; false where it closes at once. */
function opens(cursor: Cursor, close: string): boolean {
  cursor.at += 1
  skipSpace(cursor)
  if (cursor.text[cursor.at] !== close) return true
  cursor.at += 1
  return false
}

function goesOn(cursor: Cursor, close: string): boolean {
  skipSpace(cursor)
  const isEnd = cursor.text[cursor.at] === close
  take(cursor, isEnd ? close : ',')
  return !isEnd
}

function readText(cursor: Cursor): string {
  take(cursor, '"')
  let value = ''
  for (;;) {
    const unit = cursor.text.charAt(cursor.at)
    cursor.at += 1
    if (unit === '"') break
    if (unit < ' ') throw new Malformed()
    value += unit === '\\' ? readEscape(cursor) : unit
  }
  const isWhole = [...value].every(one => !(one >= '\ud800' && one <= '\udfff' && one.length === 1))
  if (!isWhole || value.includes('\0')) throw new Malformed()
  return value
}

function readEscape(cursor: Cursor): string {
  const kind = cursor.text.charAt(cursor.at)
  cursor.at += 1
  const short = ESCAPED[kind]
  if (short !== undefined) return short
  const digits = cursor.text.slice(cursor.at, cursor.at + 4)
  if (kind !== 'u' || !/^[0-9A-Fa-f]{4}$/.test(digits)) throw new Malformed()
  cursor.at += 4
  return String.fromCharCode(Number.parseInt(digits, 16))
}

function readNumber(cursor: Cursor): number {
  const [literal, fraction, exponent] = NUMBER.exec(cursor.text.slice(cursor.at, cursor.at + 400)) ?? []
  if (literal === undefined) throw new Malformed()
  cursor.at += literal.length
  const isInteger = fraction === undefined && exponent === undefined
  const isKept = isInteger
    ? BigInt(literal) === BigInt.asIntN(54, BigInt(literal)) && literal !== '-9007199254740992'
    : true
  if (!isKept || Math.abs(Number(literal)) === Number.POSITIVE_INFINITY) throw new Malformed()
  return Number(literal)
}

function skipSpace(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && ' \n\r\t'.includes(cursor.text.charAt(cursor.at))) cursor.at += 1
}

function take(cursor: Cursor, unit: string): void {
  if (cursor.text[cursor.at] !== unit) throw new Malformed()
  cursor.at += 1
}
