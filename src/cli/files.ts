import { open, readFile } from 'node:fs/promises'
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
  const content = await readText(path)
  const value = content.trimStart().startsWith('{') ? parseJson(path, content) : parseYaml(path, content)
  if (isJsonObject(value)) return value
  throw new CliFailure('file_malformed', `The file ${path} does not hold an object.`)
}

/** A secret on one line of a file. Throws CliFailure. */
export async function readSecret(path: string): Promise<string> {
  const secret = (await readText(path)).trim()
  if (secret !== '') return secret
  throw new CliFailure('file_malformed', `The file ${path} is empty.`)
}

/** Makes a file that only its owner reads; never overwrites one. Throws CliFailure. */
export async function writePrivately(path: string, content: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(content)
    await file.close()
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
