import { exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { OAuthError } from '../protocol/errors.ts'
import { holderKey } from '../protocol/holder-key.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { CliFailure } from './failure.ts'
import { readObject, withNewFile } from './files.ts'

const privateJwkSchema = z.record(z.string(), z.string())

/** A fresh P-256 key: what signs, and the private JWK to keep. */
export async function generateKey(): Promise<{ key: HolderKey; private_jwk: Record<string, string> }> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const private_jwk = privateJwkSchema.parse({ ...(await exportJWK(privateKey)), alg: 'ES256' })
  return { key: await holderKey(private_jwk), private_jwk }
}

/** Runs `fn` with a fresh P-256 key that is in a new file of mode 0600 by then. Throws CliFailure where it exists. */
export async function withNewKeyFile<T>(path: string, fn: (key: HolderKey) => Promise<T>): Promise<T> {
  const { key, private_jwk } = await generateKey()
  return await withNewFile(path, async file => {
    await file.write(`${JSON.stringify(private_jwk)}\n`)
    return await fn(key)
  })
}

/** Reads a private JWK from a file. Throws CliFailure. */
export async function readKeyFile(path: string): Promise<HolderKey> {
  const jwk = await readObject(path)
  try {
    return await holderKey(jwk)
  } catch (error) {
    throw new CliFailure('key_malformed', `The file ${path} is not a usable private JWK: ${sentenceOf(error)}`, {
      next: 'Make one with "remit keygen FILE", or with --generate-key FILE of "remit agent create" or "remit client create".',
    })
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof OAuthError || error instanceof Error ? error.message : 'it is malformed.'
}
