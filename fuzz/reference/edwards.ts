/* Points of Ed25519 by RFC 8032 section 5.1 and by arithmetic alone: decompression with a power, order by doubling. */

const P = 2n ** 255n - 19n
const D = ((P - 121_665n) * power(121_666n, P - 2n)) % P

/** Whether 32 bytes are the one encoding of a point whose order is large. */
export function isEdwardsPoint(encoded: Uint8Array): boolean {
  const y = BigInt(`0x${Buffer.from(encoded).reverse().toString('hex')}`) & (2n ** 255n - 1n)
  if (y >= P) return false
  const square = mod((y * y - 1n) * power(mod(D * y * y + 1n), P - 2n))
  const x = root(square)
  // Eight times the point: three doublings end at the neutral element exactly where its order divides 8.
  return x !== undefined && !isNeutral(double(double(double({ x, y }))))
}

type Point = { readonly x: bigint; readonly y: bigint }

function double({ x, y }: Point): Point {
  const product = mod(D * x * x * y * y)
  return {
    x: mod(2n * x * y * power(mod(1n + product), P - 2n)),
    y: mod((y * y + x * x) * power(mod(1n - product), P - 2n)),
  }
}

function isNeutral({ x, y }: Point): boolean {
  return x === 0n && y === 1n
}

/** P is 5 modulo 8. */
function root(square: bigint): bigint | undefined {
  const candidate = power(square, (P + 3n) / 8n)
  const turned = mod(candidate * power(2n, (P - 1n) / 4n))
  return [candidate, turned].find(one => mod(one * one - square) === 0n)
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = mod(base)
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

function mod(value: bigint): bigint {
  return ((value % P) + P) % P
}
