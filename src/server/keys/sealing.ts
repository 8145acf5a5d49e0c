import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

/** A key-encryption key: 32 bytes and the name under which sealed values remember it. */
export type Kek = { readonly kek_id: string; readonly key: Buffer }

/** The place a sealed value belongs to; it opens nowhere else (reliability.md section 4). */
export type SealedPlace = { readonly table: string; readonly row: string; readonly column: string }

export type Sealer = {
  /** The key that wraps. */
  readonly kek_id: string
  seal(plaintext: Uint8Array, place: SealedPlace): Buffer
  /** Throws when the value was changed, moved, or sealed under a key we were not given. */
  open(sealed: Uint8Array, place: SealedPlace): Buffer
}

/*
 * version 1 | kek_id 8 | wrapped data key 60 | sealed value 28 + n
 * where each box is nonce 12 | tag 16 | ciphertext, AES-256-GCM. A data key seals one value, so its nonce never repeats.
 */
const VERSION = 1
const KEY_BYTES = 32
const KEK_ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const WRAPPED_AT = 1 + KEK_ID_BYTES
const VALUE_AT = WRAPPED_AT + NONCE_BYTES + TAG_BYTES + KEY_BYTES

/** 256 random bits. */
export function randomKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/** The key with its name: the first 16 hex digits of SHA-256 over a label and the key. Throws on any other length. */
export function namedKek(key: Buffer): Kek {
  if (key.length !== KEY_BYTES) throw new Error('A key-encryption key has 32 bytes.')
  const digest = createHash('sha256').update('remit kek_id v1\0').update(key).digest('hex')
  return { kek_id: digest.slice(0, KEK_ID_BYTES * 2), key }
}

/** Envelope encryption: the first key wraps, all unwrap (reliability.md section 4). */
export function createSealer(keks: readonly Kek[]): Sealer {
  const [wrapping] = keks
  if (!wrapping) throw new Error('A sealer needs a key-encryption key.')
  return {
    kek_id: wrapping.kek_id,
    seal(plaintext, place) {
      const dataKey = randomKey()
      const head = Buffer.concat([Buffer.of(VERSION), Buffer.from(wrapping.kek_id, 'hex')])
      const wrapped = encrypt(wrapping.key, dataKey, boundTo('key', head, place))
      return Buffer.concat([head, wrapped, encrypt(dataKey, plaintext, boundTo('value', head, place))])
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed)
      if (bytes.length < VALUE_AT + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION) throw notOpened()
      const head = bytes.subarray(0, WRAPPED_AT)
      const kek = keks.find(candidate => candidate.kek_id === head.toString('hex', 1))
      if (!kek) throw notOpened()
      const dataKey = decrypt(kek.key, bytes.subarray(WRAPPED_AT, VALUE_AT), boundTo('key', head, place))
      return decrypt(dataKey, bytes.subarray(VALUE_AT), boundTo('value', head, place))
    },
  }
}

/** Additional authenticated data: JSON of a list, so that no two places spell the same bytes. */
function boundTo(box: 'key' | 'value', head: Buffer, { table, row, column }: SealedPlace): Buffer {
  return Buffer.from(JSON.stringify(['remit', box, head.toString('hex'), table, row, column]))
}

function encrypt(key: Buffer, plaintext: Uint8Array, aad: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext])
}

function decrypt(key: Buffer, box: Buffer, aad: Buffer): Buffer {
  const nonce = box.subarray(0, NONCE_BYTES)
  const tag = box.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad).setAuthTag(tag)
  try {
    return Buffer.concat([cipher.update(box.subarray(NONCE_BYTES + TAG_BYTES)), cipher.final()])
  } catch {
    throw notOpened()
  }
}

/** One text for every cause: it must not help to tell them apart. */
function notOpened(): Error {
  return new Error('A sealed value does not open with the keys given, at this place.')
}
