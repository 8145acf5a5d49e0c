import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'
import { z } from 'zod'
import { OAuthError } from '../protocol/errors.ts'
import { isJsonObject, type JsonObject, parseStrictJsonText } from '../protocol/json.ts'
import { CliFailure } from './failure.ts'

/** A text file, or standard input for `-`. Throws CliFailure. */
export async function readText(path: string): Promise<string> {
  if (path === '-') return await text(process.stdin)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CliFailure('file_unreadable', `The file ${path} cannot be read (${codeOf(error)}).`)
  }
}

/** An object written as JSON or YAML; JSON by the server's strict rules. Throws CliFailure. */
export async function readObject(path: string): Promise<JsonObject> {
  return parseObject(path, await readText(path))
}

/** `readObject` of text that was read from a file. Throws CliFailure. */
export function parseObject(path: string, content: string): JsonObject {
  const value = content.trimStart().startsWith('{') ? parseJson(path, content) : parseYaml(path, content)
  if (isJsonObject(value)) return value
  throw new CliFailure('file_malformed', `The file ${path} does not hold an object.`)
}

/** A secret on one line of a file. Throws CliFailure. */
export async function readSecret(path: string): Promise<string> {
  const secret = (await readText(path)).trim()
  if (/^[\x21-\x7e]+$/.test(secret)) return secret
  throw new CliFailure('file_malformed', `The file ${path} does not hold one line of ASCII without spaces.`)
}

/** A file that did not exist before. */
export type NewFile = { readonly write: (content: string) => Promise<void> }

/**
 * Makes a file that only its owner reads (0600) before `fn` does what cannot be done twice, so that its outcome has a
 * place. The file is removed when `fn` fails, unless it holds something and nobody knows whether the server acted.
 * Throws CliFailure, also where the file exists.
 */
export async function withNewFile<T>(path: string, fn: (file: NewFile) => Promise<T>): Promise<T> {
  let isEmpty = true
  const file = await openNew(path)
  try {
    return await fn({
      async write(content) {
        isEmpty = false
        await file.writeFile(content)
      },
    })
  } catch (error) {
    const mayHaveActed = error instanceof CliFailure && error.code === 'unreachable'
    if (isEmpty || !mayHaveActed) await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw new CliFailure('file_exists', `The file ${path} exists and is not overwritten.`, {
        next: 'Choose another name, or move the file away.',
      })
    }
    throw new CliFailure('file_unwritable', `The file ${path} cannot be written (${codeOf(error)}).`)
  }
}

function parseJson(path: string, content: string): unknown {
  try {
    return parseStrictJsonText(content)
  } catch (error) {
    throw new CliFailure('file_malformed', `The file ${path}: ${error instanceof OAuthError ? error.message : error}`)
  }
}

function parseYaml(path: string, content: string): unknown {
  try {
    return z.json().parse(parse(content))
  } catch (error) {
    const cause = error instanceof Error ? error.message.split('\n')[0] : error
    throw new CliFailure('file_malformed', `The file ${path} is neither JSON nor YAML: ${cause}`)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
