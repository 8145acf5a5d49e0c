import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'

const CORPUS = new URL('corpus/', import.meta.url)
const keptSchema = z.object({ why: z.string(), input: z.unknown() })

export type Kept = z.output<typeof keptSchema> & { readonly file: string }

/** The kept inputs of a target: what once failed, and what is worth trying first each time. */
export async function keptInputs(name: string): Promise<readonly Kept[]> {
  const folder = new URL(`${name}/`, CORPUS)
  const files = await readdir(folder).catch(() => [])
  return await Promise.all(
    files.toSorted().map(async file => {
      const kept = keptSchema.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')))
      return { ...kept, file: `fuzz/corpus/${name}/${file}` }
    }),
  )
}

/** Keeps an input by the hash of what it is. @returns its file */
export async function keepInput(name: string, why: string, input: unknown): Promise<string> {
  const folder = new URL(`${name}/`, CORPUS)
  const text = `${JSON.stringify({ why, input }, null, 1)}\n`
  const file = `found-${createHash('sha256').update(JSON.stringify(input)).digest('hex').slice(0, 12)}.json`
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(file, folder), text)
  return `fuzz/corpus/${name}/${file}`
}
