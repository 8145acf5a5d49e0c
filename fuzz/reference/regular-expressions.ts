import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** A literal stands where a value begins; comments are taken out before. */
const LITERAL =
  /(?<=(?:[=([,:?|&!{]|=>|return|^)\s*)\/((?:[^\\/[\n*]|\\.|\[(?:[^\]\\\n]|\\.)*\])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])*)\/([dgimsuvy]*)/gm

export type Found = { readonly path: string; readonly regex: RegExp }

/** Every regular expression that is written as a literal in our source. */
export function regularExpressions(): readonly Found[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(path => /\.tsx?$/.test(path))
    .sort()
    .flatMap(path => {
      const text = readFileSync(join(ROOT, 'src', path), 'utf8').replace(/^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*)$/gm, '')
      return [...text.matchAll(LITERAL)].flatMap(([, source = '', flags]) => {
        const regex = compiled(source, flags)
        return regex ? [{ path: `src/${path}`, regex }] : []
      })
    })
}

/** Undefined for what only looks like one. */
function compiled(source: string, flags: string | undefined): RegExp | undefined {
  try {
    return new RegExp(source, flags)
  } catch {
    return undefined
  }
}
