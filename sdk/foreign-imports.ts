import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const SPECIFIER = /\b(?:from|import)\s*\(?\s*["']([^"'.][^"']*)["']/g

/**
 * The packages that built files name in imports, types included, by file. Throws where anything but an adapter names one
 * that is neither jose nor zod.
 */
export async function foreignImports(directory: string): Promise<readonly string[]> {
  const files = await readdir(directory, { recursive: true, encoding: 'utf8' })
  const names = new Set<string>()
  for (const file of files.filter(name => /\.(?:js|d\.ts)$/.test(name))) {
    const text = await readFile(join(directory, file), 'utf8')
    for (const [, specifier = ''] of text.matchAll(SPECIFIER)) {
      const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
      if (name.startsWith('node:') || name === 'jose' || name === 'zod') continue
      if (!/[\\/]adapters[\\/]/.test(file))
        throw new Error(`${file} imports ${name}: the package depends on jose and zod.`)
      names.add(name)
    }
  }
  return [...names].sort()
}
