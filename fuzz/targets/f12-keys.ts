import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { z } from 'zod'
import { isJsonObject } from '../../src/protocol/json.ts'
import { importPublicJwk, parseJwks, parsePem } from '../../src/protocol/jwk.ts'
import { testKey } from '../../test/protocol/forge.ts'
import { edited } from '../edited.ts'
import { agree, outcomeOf } from '../outcome.ts'
import { isEdwardsPoint } from '../reference/edwards.ts'
import { target } from '../target.ts'

type Jwk = z.output<typeof jwkSchema>
const jwkSchema = z.record(z.string(), z.json())
const GOOD = ['ES256', 'Ed25519', 'PS256'].map(alg =>
  jwkSchema.parse(testKey(alg === 'PS256' ? 'PS256' : alg === 'ES256' ? 'ES256' : 'Ed25519').jwk),
)
const WEAK = [jwkSchema.parse(testKey('PS256', 1024).jwk), p384()]
const PEMS = [...GOOD, ...WEAK].map(pemOf)
const zero = Buffer.alloc(32)
const P25519 = 2n ** 255n - 19n
const points = [0n, 1n, 2n, 3n, 4n, P25519 - 1n, P25519, P25519 + 1n, 2n ** 255n - 1n].map(y => littleEndian(y))

const octets = fc.oneof(
  fc.constantFrom(...GOOD.flatMap(jwk => [jwk.x, jwk.y, jwk.n]).filter(one => typeof one === 'string')),
  fc.constantFrom(...points, zero.toString('base64url'), 'AQAB', 'AQ', 'Aw', 'AAEAAQ', 'AQAA', 'AQAAAAE', ''),
  fc.uint8Array({ minLength: 31, maxLength: 33 }).map(bytes => Buffer.from(bytes).toString('base64url')),
)
const member = fc.oneof(
  fc.tuple(fc.constantFrom('x', 'y', 'n', 'e'), octets),
  fc.tuple(fc.constantFrom('x', 'y', 'n', 'e'), edited(octets, ['A', '=', '+', '/', ' '], 1)),
  fc.tuple(
    fc.constantFrom('kty', 'crv'),
    fc.constantFrom('EC', 'OKP', 'RSA', 'oct', 'P-256', 'P-384', 'Ed25519', 'X25519', 1),
  ),
  fc.tuple(fc.constantFrom('d', 'p', 'k', 'oth'), fc.constantFrom('AA', null)),
  fc.tuple(
    fc.constantFrom('use', 'alg', 'kid', 'key_ops', 'x5c'),
    fc.constantFrom('sig', 'enc', 'ES256', 'EdDSA', 'PS256', 'RS256', 'none', '', null),
  ),
  fc.tuple(fc.constant('key_ops'), fc.constantFrom(['verify'], ['sign'], [], ['sign', 'verify'])),
)
/** A good key of which only one member ends in another character. */
const ending = fc
  .tuple(fc.constantFrom(...GOOD), fc.constantFrom('x', 'y', 'n', 'e'), fc.constantFrom('A', 'B', 'E', 'Q', 'w'))
  .map(
    ([good, name, end]): Jwk => ({
      ...good,
      ...(typeof good[name] === 'string' && { [name]: good[name].slice(0, -1) + end }),
    }),
  )
const named = fc
  .tuple(fc.constantFrom(...GOOD), fc.constantFrom('a', 'b', '', 'k'.repeat(129)))
  .map(([good, kid]): Jwk => ({ ...good, kid }))
const changed = fc
  .tuple(fc.constantFrom(...GOOD, ...WEAK), fc.array(member, { maxLength: 2 }))
  .map(([good, changes]) => jwkSchema.parse({ ...good, ...Object.fromEntries(changes) }))

const jwk = fc.oneof({ arbitrary: changed, weight: 4 }, ending, named)

export const keys = target({
  name: 'f12',
  rule: 'a public key is taken in its one form, where it is strong, and has one thumbprint (RFC 8725 section 3.4)',
  input: z.object({ jwk: jwkSchema, set: z.json(), pem: z.string() }),
  arbitrary: fc.record({
    jwk,
    set: fc.oneof(
      fc
        .array(fc.oneof(jwk, named, named, fc.constant(null)), { maxLength: 3 })
        .map(all => z.json().parse({ keys: all })),
      fc.integer({ min: 15, max: 18 }).map(n => ({ keys: Array.from({ length: n }, () => GOOD[0] ?? {}) })),
      fc.constantFrom(null, 'keys', { keys: {} }, { keys: [] }, { keys: 'x' }).map(one => z.json().parse(one)),
    ),
    pem: edited(fc.constantFrom(...PEMS), ['\n', '\r\n', ' ', '=', 'A', '-----', '\n-----BEGIN PUBLIC KEY-----\n'], 2),
  }),
  shortRuns: 80,
  async holds({ jwk, set, pem }) {
    await judgeKey(jwk)
    await judgeSet(set)
    await judgePem(pem)
  },
})

async function judgeKey(jwk: Jwk): Promise<void> {
  const read = await outcomeOf(() => importPublicJwk(jwk), 'invalid_request')
  agree('value' in read, isGood(jwk), jwk)
  if (!('value' in read)) return
  const names = { OKP: ['crv', 'kty', 'x'], EC: ['crv', 'kty', 'x', 'y'], RSA: ['e', 'kty', 'n'] }[read.value.jwk.kty]
  assert.deepEqual(Object.keys(read.value.jwk).sort(), names)
  const canonical = JSON.stringify(Object.fromEntries(names.map(name => [name, jwk[name]])))
  assert.equal(read.value.jkt, createHash('sha256').update(canonical).digest('base64url'))
  const { kty, x, y, n, e } = createPublicKey({ key: read.value.jwk, format: 'jwk' }).export({ format: 'jwk' })
  const kept = { kty, ...(x && { x }), ...(y && { y }), ...(n && { n }), ...(e && { e }) }
  for (const [name, value] of Object.entries(kept)) assert.equal(value, jwk[name])
}

/** RFC 7518 section 6, RFC 8037, and the strengths of attacks.md 8, 9 and 49; points by node and by another method. */
function isGood(jwk: Jwk): boolean {
  const { kty, crv, x, y, n, e, use = 'sig', key_ops = ['verify'], alg } = jwk
  if (['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].some(name => name in jwk)) return false
  if (use !== 'sig' || !Array.isArray(key_ops) || !key_ops.includes('verify')) return false
  const isAlg = (...all: readonly string[]) => alg === undefined || all.some(one => one === alg)
  if (kty === 'OKP')
    return (
      crv === 'Ed25519' && isAlg('EdDSA', 'Ed25519') && isOctets(x, 32) && isEdwardsPoint(Buffer.from(x, 'base64url'))
    )
  if (kty === 'EC')
    return crv === 'P-256' && isAlg('ES256') && isOctets(x, 32) && isOctets(y, 32) && opens({ kty, crv, x, y })
  if (kty !== 'RSA' || !isAlg('PS256', 'RS256') || !isOctets(n) || !isOctets(e)) return false
  const [modulus, exponent] = [n, e].map(text => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`))
  if (modulus === undefined || exponent === undefined) return false
  const bits = modulus.toString(2).length
  const isLeast = [n, e].every(text => Buffer.from(text, 'base64url')[0] !== 0)
  return (
    isLeast &&
    bits >= 2048 &&
    bits <= 8192 &&
    modulus % 2n === 1n &&
    exponent % 2n === 1n &&
    exponent > 1n &&
    exponent < 2n ** 32n
  )
}

function isOctets(value: unknown, length?: number): value is string {
  if (typeof value !== 'string' || value === '' || value.length > 2048) return false
  const bytes = Buffer.from(value, 'base64url')
  return bytes.toString('base64url') === value && (length === undefined || bytes.length === length)
}

function opens(key: Jwk): boolean {
  try {
    createPublicKey({ key, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

async function judgeSet(set: z.output<ReturnType<typeof z.json>>): Promise<void> {
  const read = await outcomeOf(() => parseJwks(set), 'invalid_request')
  const entries = isJsonObject(set) && Array.isArray(set.keys) ? set.keys : []
  const kids = entries.flatMap(entry => (isJsonObject(entry) && entry.kid !== undefined ? [entry.kid] : []))
  const isKids =
    new Set(kids).size === kids.length && kids.every(kid => typeof kid === 'string' && /^[ -~]{1,128}$/.test(kid))
  const areGood = entries.every(entry => isJsonObject(entry) && isGood(entry))
  agree('value' in read, entries.length >= 1 && entries.length <= 16 && areGood && isKids, set)
  if ('value' in read) assert.equal(read.value.length, entries.length)
}

/** Taken only as the text that node itself writes for that key, but for the line ends. */
async function judgePem(pem: string): Promise<void> {
  const read = await outcomeOf(() => parsePem(pem), 'invalid_request')
  if (!('value' in read)) return assert.ok(!GOOD.some(jwk => pemOf(jwk) === pem))
  const again = pemOf(jwkSchema.parse(read.value.jwk))
  assert.equal(pem.replace(/[\r\n]/g, ''), again.replace(/\n/g, ''))
  assert.equal(isGood(jwkSchema.parse(read.value.jwk)), true)
}

function pemOf(jwk: Jwk): string {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
}

function p384(): Jwk {
  return jwkSchema.parse(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }))
}

function littleEndian(y: bigint): string {
  return Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse().toString('base64url')
}
