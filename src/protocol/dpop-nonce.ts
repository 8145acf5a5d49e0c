import { createHmac, timingSafeEqual } from 'node:crypto'

const BUCKET_SECONDS = 60
/** This bucket and the last two (protocol.md section 3): a nonce lives between two and three minutes. */
const ACCEPTED_BUCKETS = 3

/** The DPoP nonce of this minute, the same on every node; `now` in epoch seconds. RFC 9449 section 8. */
export function issueNonce(key: Uint8Array, now: number): string {
  return nonceOf(key, bucketAt(now))
}

/** Whether a nonce was ours within this minute and the last two; `now` in epoch seconds. RFC 9449 section 8. */
export function isValidNonce(key: Uint8Array, nonce: string, now: number): boolean {
  const given = Buffer.from(nonce)
  let valid = false
  for (let age = 0; age < ACCEPTED_BUCKETS; age += 1) {
    const expected = Buffer.from(nonceOf(key, bucketAt(now) - age))
    if (given.length === expected.length && timingSafeEqual(given, expected)) valid = true
  }
  return valid
}

function bucketAt(now: number): number {
  return Math.floor(now / BUCKET_SECONDS)
}

/** 128 bits as base64url: only NQCHAR, as RFC 9449 section 8.1 asks. */
function nonceOf(key: Uint8Array, bucket: number): string {
  return createHmac('sha256', key).update(String(bucket)).digest().subarray(0, 16).toString('base64url')
}
