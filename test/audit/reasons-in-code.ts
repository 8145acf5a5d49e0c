import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../../src')
const AREAS = ['protocol', 'server', 'verifier']

/** Reasons built from a set of names: the template as it stands in the code, and what it can become. */
export const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  'dpop_${name}': ['dpop_nonce', 'dpop_bd', 'dpop_scope'],
  'http_${status}': ['http_400', 'http_404', 'http_412', 'http_413', 'http_414', 'http_415', 'http_416', 'http_431'],
}

/** Words for the person who revokes or rejects: not the reason of a refusal. */
const NO_REFUSAL = /insertRevocations\(|revokeWithDescendants\(|recordRevocation\(/

export type Found = { readonly reason: string; readonly file: string }
export type Reasons = { readonly found: readonly Found[]; readonly unread: readonly string[] }

/**
 * Every reason of a refusal that the source can give: `reason: '…'` in an object, the argument of a function whose
 * parameter is called `reason`, the default of both error classes, and types called `…Reason` or `Lapse`. What stands
 * in such a place and is neither a literal nor handed on is `unread`.
 */
export function reasonsInCode(): Reasons {
  const files = AREAS.flatMap(area =>
    readdirSync(join(SRC, area), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.includes('error-catalogue'))
      .map(name => ({ file: `${area}/${name}`, text: withoutComments(readFileSync(join(SRC, area, name), 'utf8')) })),
  )
  const found: Found[] = []
  const unread: string[] = []
  const exported = files.flatMap(({ text }) => refusers(text).filter(refuser => refuser.isExported))
  for (const { file, text } of files) {
    const given = argumentsOf(text, [...exported, ...refusers(text).filter(refuser => !refuser.isExported)])
    for (const expression of [...members(text), ...given, ...defaults(text), ...types(text)]) {
      const reasons = literals(expression)
      found.push(...reasons.map(reason => ({ reason, file })))
      if (reasons.length === 0 && !isHandedOn(expression)) unread.push(`${file}: ${expression}`)
    }
  }
  return { found, unread }
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1')
}

/** `reason: …` in an object literal. */
function members(text: string): string[] {
  return [...text.matchAll(/[{,]\s*reason: /g)].flatMap(match => {
    const start = match.index + match[0].length
    const before = text
      .slice(Math.max(0, match.index - 200), match.index)
      .split('\n')
      .slice(-4)
      .join('\n')
    if (NO_REFUSAL.test(before.slice(before.lastIndexOf('\n  ')))) return []
    return [expressionAt(text, start)]
  })
}

/** A function that takes a reason, and as which of its parameters. */
type Refuser = { readonly name: string; readonly position: number; readonly isExported: boolean }

function refusers(text: string): Refuser[] {
  const functions = [...text.matchAll(/(export )?function (\w+)(?:<[^>]*>)?\(([^)]*\breason\??: string[^)]*)\)/g)]
  return functions.flatMap(([, exported, name = '', parameters = '']) => {
    const position = split(parameters).findIndex(parameter => /^\s*reason\??:/.test(parameter))
    return position < 0 ? [] : [{ name, position, isExported: exported !== undefined }]
  })
}

/** What is given to such a function, of the file or exported by another. */
function argumentsOf(text: string, functions: readonly Refuser[]): string[] {
  return functions.flatMap(({ name, position }) => calls(text, name).flatMap(given => given[position] ?? []))
}

/** What both classes take for the reason where none is given. */
function defaults(text: string): string[] {
  const problems = calls(text, 'new Problem').map(([code = '', , reason]) => reason ?? code)
  const errors = calls(text, 'new OAuthError').flatMap(([code = '', , details = '']) => {
    // Either the reason is there and read as a member, or the details were made elsewhere.
    if (/\breason\b/.test(details) || /^\w+$/.test(details)) return []
    const ajwt = /\bajwt_error: ([^,}]+)/.exec(details)
    return [ajwt?.[1] ?? code]
  })
  return [...problems, ...errors]
}

function types(text: string): string[] {
  return [...text.matchAll(/type (?:Lapse|\w*Reason) =([^\n]*(?:\n\s+\|[^\n]*)*)/g)].map(match => match[1] ?? '')
}

function literals(expression: string): string[] {
  const template = /^`([^`]*)`$/.exec(expression.trim())?.[1]
  if (template !== undefined) return [...(TEMPLATES[template] ?? [])]
  return [...expression.matchAll(/'([a-z][a-z0-9_]*)'/g)].map(match => match[1] ?? '')
}

/** A variable or member that was given its value elsewhere, or a type. */
function isHandedOn(expression: string): boolean {
  return /^\s*(?:string\b.*|z\..*|[a-zA-Z_.?]+(?:\(\))?(?: \?\? '')?)\s*$/s.test(expression)
}

function calls(text: string, name: string): string[][] {
  const pattern = new RegExp(`(?<!function )(?<!\\w)(?<!(?:^|[^.])\\.)${name}\\(`, 'g')
  return [...text.matchAll(pattern)].map(match => split(enclosed(text, match.index + match[0].length)))
}

/** The text up to the parenthesis that closes. */
function enclosed(text: string, start: number): string {
  return text.slice(start, scan(text, start, ''))
}

function expressionAt(text: string, start: number): string {
  return text.slice(start, scan(text, start, ','))
}

function split(parameters: string): string[] {
  const parts: string[] = []
  for (let start = 0; start < parameters.length; ) {
    const end = scan(parameters, start, ',')
    if (parameters.slice(start, end).trim() !== '') parts.push(parameters.slice(start, end).trim())
    start = end + 1
  }
  return parts
}

/** Where the expression ends: at a bracket that closes it, or outside of brackets and quotes at `until`. */
function scan(text: string, start: number, until: string): number {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === "'" || char === '"' || char === '`') at = closingQuote(text, at)
    else if ('([{'.includes(char)) depth += 1
    else if (')]}'.includes(char) && depth-- === 0) return at
    else if (until !== '' && until.includes(char) && depth === 0) return at
  }
  return text.length
}

function closingQuote(text: string, at: number): number {
  const quote = text.charAt(at)
  for (let end = at + 1; end < text.length; end += 1) {
    if (text.charAt(end) === '\\') end += 1
    else if (text.charAt(end) === quote) return end
  }
  return text.length
}
