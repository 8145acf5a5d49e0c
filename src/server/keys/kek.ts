import { link, mkdir, open, readFile, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StartRefused } from '../store/start-refused.ts'
import { type Kek, namedKek, randomKey } from './sealing.ts'

export type KekSource = {
  readonly kekFile?: string | undefined
  readonly dataDir: string
  readonly production: boolean
}

/**
 * The key-encryption keys of the file, first the one that wraps. In development a missing file is made (0600), but
 * never when the database already holds sealed rows: another key could not open them (reliability.md section 4).
 * Throws StartRefused.
 */
export async function loadKek(source: KekSource, sealedRowsExist: () => Promise<boolean>): Promise<readonly Kek[]> {
  const path = source.kekFile ?? join(source.dataDir, 'kek')
  const found = await readPrivately(path)
  if (found !== undefined) return parseKeks(found, path)
  if (source.production) {
    throw new StartRefused(`The key-encryption key file ${path} is missing: put it back, or correct REMIT_KEK_FILE.`)
  }
  if (await sealedRowsExist()) {
    throw new StartRefused(
      `The key-encryption key file ${path} is missing and the database holds rows sealed with it: put the file back, or correct REMIT_KEK_FILE.`,
    )
  }
  await generate(path)
  return parseKeks((await readPrivately(path)) ?? '', path)
}

/** Of two processes that start together one makes the file; both read it afterwards, and neither sees half of it. */
async function generate(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomKey().toString('hex').slice(0, 16)}`
  await writeFile(draft, `${randomKey().toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true })
  try {
    await link(draft, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await unlink(draft)
  }
}

async function readPrivately(path: string): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    if (isCode(error, 'EACCES'))
      throw new StartRefused(`The key-encryption key file ${path} cannot be read by this user.`)
    throw error
  }
  try {
    const { mode } = await file.stat()
    if ((mode & 0o077) !== 0) {
      throw new StartRefused(`The key-encryption key file ${path} is open to other users: run chmod 600 on it.`)
    }
    return await readFile(file, 'utf8')
  } finally {
    await file.close()
  }
}

/** One key a line, 64 hex digits or 43 characters base64url. The text of the file never reaches a message. */
function parseKeks(text: string, path: string): readonly Kek[] {
  const lines = text.split('\n').map(line => line.trim())
  const keys = lines
    .filter(line => line !== '')
    .map(line => {
      if (/^[0-9a-fA-F]{64}$/.test(line)) return Buffer.from(line, 'hex')
      if (/^[A-Za-z0-9_-]{43}$/.test(line)) return Buffer.from(line, 'base64url')
      return undefined
    })
  const keks = keys.flatMap(key => (key ? [namedKek(key)] : []))
  if (keks.length === 0 || keks.length !== keys.length) {
    throw new StartRefused(
      `The key-encryption key file ${path} must hold one key a line, each 32 bytes as 64 hex digits or as base64url.`,
    )
  }
  return keks
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
