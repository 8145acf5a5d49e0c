import { constants } from 'node:fs'
import { link, mkdtemp, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { JWK } from 'jose'
import { OAuthError } from '../protocol/errors.ts'
import { isJsonObject, parseStrictJson } from '../protocol/json.ts'
import type { KeyStore } from './key-store.ts'

const MAX_BYTES = 16_384
/** A link is followed nowhere, and a pipe in the file's place is not waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * A private key as JWK in a file of mode 0600. Of several processes that save at once the first wins, and its key is kept:
 * load after saving. Throws `invalid_request` for a file that others can read, a symbolic link, or what is no key.
 */
export function fileKeyStore(path: string): KeyStore {
  return {
    async load() {
      const bytes = await readPrivate(path)
      return bytes && keyIn(bytes)
    },
    async save(jwk) {
      const directory = await mkdtemp(join(dirname(path), '.key-'))
      try {
        const whole = join(directory, 'key')
        const file = await open(whole, 'wx', 0o600)
        try {
          await file.writeFile(`${JSON.stringify(jwk)}\n`)
          await file.sync()
        } finally {
          await file.close()
        }
        // Like O_EXCL, but nobody ever reads half a key.
        await link(whole, path)
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error
      } finally {
        await rm(directory, { recursive: true })
      }
    },
  }
}

async function readPrivate(path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await open(path, FLAGS)
    try {
      const { mode, size, uid } = await file.stat()
      if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > MAX_BYTES)
        throw refusal('is no key file', 'key_file')
      if ((mode & 0o077) !== 0) {
        const octal = (mode & 0o7777).toString(8).padStart(4, '0')
        throw refusal(`has mode ${octal}, so that others can use the key: chmod 600 ${path}`, 'key_file_mode')
      }
      if (process.geteuid !== undefined && uid !== process.geteuid()) {
        throw refusal('is of another user, who can change the key', 'key_file_mode')
      }
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (hasCode(error, 'ELOOP')) throw refusal('is a symbolic link; name the file itself', 'key_file_link')
    throw error
  }
}

function keyIn(bytes: Uint8Array): JWK {
  const jwk = parseStrictJson(bytes)
  if (!isJsonObject(jwk) || typeof jwk.kty !== 'string' || typeof jwk.d !== 'string') {
    throw refusal('holds no private JWK', 'key_file')
  }
  return { ...jwk, kty: jwk.kty, d: jwk.d }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function refusal(what: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', `The file of the key store ${what}.`, { reason })
}
