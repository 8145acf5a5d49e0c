/** Checks on public points that the platform leaves out or does late; public values, so no constant time is needed. */

const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const P256_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
const P25519 = 2n ** 255n - 19n
const ED25519_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const ED25519_ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022n
/** `y` of the eight points whose order divides 8: a signature by such a key says nothing about its message. */
const ED25519_LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P25519 - 1n,
  ED25519_ORDER_8_Y,
  P25519 - ED25519_ORDER_8_Y,
])

/** Whether big-endian x and y are reduced coordinates of a point of P-256 (SP 800-186 section 3.2.1.3). */
export function isP256Point(xBytes: Uint8Array, yBytes: Uint8Array): boolean {
  const x = bigEndian(xBytes)
  const y = bigEndian(yBytes)
  if (x >= P256 || y >= P256) return false
  return (y * y - (x * x * x - 3n * x + P256_B)) % P256 === 0n
}

/** Whether 32 bytes are the one encoding of a point of Ed25519 that is not of low order (RFC 8032 section 5.1.3). */
export function isEd25519PublicKey(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false
  const y = bigEndian(Uint8Array.from(encoded).reverse()) & (2n ** 255n - 1n)
  if (y >= P25519 || ED25519_LOW_ORDER_Y.has(y)) return false
  const y2 = (y * y) % P25519
  // x^2 = u / v has a root exactly when u * v is a square.
  return jacobi(((y2 - 1n) * (ED25519_D * y2 + 1n)) % P25519, P25519) !== -1
}

function bigEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

/** Jacobi symbol of a over an odd n, by the law of quadratic reciprocity. */
function jacobi(a: bigint, n: bigint): number {
  let top = ((a % n) + n) % n
  let bottom = n
  let sign = 1
  while (top !== 0n) {
    while ((top & 1n) === 0n) {
      top >>= 1n
      const eighth = bottom & 7n
      if (eighth === 3n || eighth === 5n) sign = -sign
    }
    ;[top, bottom] = [bottom, top]
    if ((top & 3n) === 3n && (bottom & 3n) === 3n) sign = -sign
    top %= bottom
  }
  return bottom === 1n ? sign : 0
}
