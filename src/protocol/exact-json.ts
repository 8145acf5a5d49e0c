import { isJsonObject, type JsonLimits, parseStrictJsonText } from './json.ts'

declare global {
  // The standard's "JSON.parse source text access"; the compiler's library does not know it yet.
  interface JSON {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
    rawJSON(text: string): RawNumber
    isRawJSON(value: unknown): value is RawNumber
  }
}

/** A number with the literal it was written as. Made by `JSON.rawJSON` only, so that no object can pass for one. */
export type RawNumber = { readonly rawJSON: string }

/**
 * `parseStrictJsonText` that keeps how each number is written (`0.0`, `1E5`), where the written form counts: checksum
 * profile `reference`. `JSON.stringify` writes such numbers again as they were. Throws `invalid_request`.
 */
export function parseExactJsonText(text: string, limits?: JsonLimits): unknown {
  parseStrictJsonText(text, limits)
  return JSON.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined ? JSON.rawJSON(source) : value,
  )
}

/** The value at a path of member names and indices; undefined where there is none. */
export function memberAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((held, step) => {
    if (typeof step === 'number') return Array.isArray(held) ? held[step] : undefined
    return isJsonObject(held) && Object.hasOwn(held, step) ? held[step] : undefined
  }, value)
}
