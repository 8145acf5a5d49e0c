import { exportJWK, generateKeyPair, importJWK } from 'jose'
import { z } from 'zod'
import { OAuthError } from '../protocol/errors.ts'
import type { JsonObject } from '../protocol/json.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { CliFailure } from './failure.ts'
import { readObject, withNewFile } from './files.ts'

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'key_ops', 'ext']

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

/** A JWK without what is private in it, or only for whoever signs. */
export function publicMembers(jwk: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE_MEMBERS.includes(name)))
}

/** A private JWK as a key that signs. Throws Error or OAuthError. */
export async function holderKey(jwk: JsonObject): Promise<HolderKey> {
  if (typeof jwk.d !== 'string') throw new Error('it has no private part.')
  const { jwk: publicJwk, algs } = await importPublicJwk(publicMembers(jwk))
  const [alg = ''] = algs
  const privateKey = await importJWK(jwk, alg)
  if (privateKey instanceof Uint8Array) throw new Error('it is a symmetric key.')
  return { alg, privateKey, publicJwk }
}

function sentenceOf(error: unknown): string {
  return error instanceof OAuthError || error instanceof Error ? error.message : 'it is malformed.'
}
