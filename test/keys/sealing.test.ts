import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { test } from 'node:test'
import { createSealer, namedKek, randomKey } from '../../src/server/keys/sealing.ts'

const PLACE = { table: 'signing_key', row: 'k1', column: 'private_sealed' }
const SECRET = Buffer.from('a private key')
const kek = namedKek(Buffer.alloc(32, 1))
const otherKek = namedKek(Buffer.alloc(32, 2))
const NOT_OPENED = /^Error: A sealed value does not open with the keys given, at this place\.$/

test('what was sealed opens at its place and is not readable before (reliability.md section 4)', () => {
  const sealer = createSealer([kek])

  const sealed = sealer.seal(SECRET, PLACE)

  assert.deepEqual(sealer.open(sealed, PLACE), SECRET)
  assert.equal(sealed.includes(SECRET), false)
  assert.deepEqual(sealer.open(sealer.seal(Buffer.alloc(0), PLACE), PLACE), Buffer.alloc(0))
})

test('the same value is never sealed to the same bytes: a data key and nonces of its own (reliability.md section 4)', () => {
  const sealer = createSealer([kek])

  assert.notDeepEqual(sealer.seal(SECRET, PLACE), sealer.seal(SECRET, PLACE))
  const [one, two] = [sealer.seal(SECRET, PLACE), sealer.seal(SECRET, PLACE)]
  // Nonces of the wrapped data key and of the value.
  for (const at of [9, 69]) assert.notDeepEqual(one.subarray(at, at + 12), two.subarray(at, at + 12))
  assert.notDeepEqual(dataKeyOf(one), dataKeyOf(two))
})

/** GCM encrypts like counter mode that starts at 2 (NIST SP 800-38D section 7.1). */
function dataKeyOf(sealed: Buffer): Buffer {
  const counter = Buffer.concat([sealed.subarray(9, 21), Buffer.of(0, 0, 0, 2)])
  return createDecipheriv('aes-256-ctr', kek.key, counter).update(sealed.subarray(37, 69))
}

test('no flipped bit and no cut goes unnoticed (reliability.md section 4)', () => {
  const sealer = createSealer([kek])
  const sealed = sealer.seal(SECRET, PLACE)

  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    assert.throws(() => sealer.open(changed, PLACE), NOT_OPENED, `bit ${bit}`)
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => sealer.open(sealed.subarray(0, length), PLACE), NOT_OPENED, `length ${length}`)
  }
})

test('a value moved to another row, column or table does not open (reliability.md section 4, swapped rows)', () => {
  const sealer = createSealer([kek])
  const sealed = sealer.seal(SECRET, PLACE)

  const moves = [
    { row: 'k2' },
    { column: 'public_jwk' },
    { table: 'registration' },
    { table: 'signing_keyk1', row: '' },
  ]
  for (const move of moves) assert.throws(() => sealer.open(sealed, { ...PLACE, ...move }), NOT_OPENED)
})

test('the first key wraps and all unwrap, another key opens nothing (reliability.md section 4)', () => {
  const before = createSealer([kek])
  const after = createSealer([otherKek, kek])
  const sealed = before.seal(SECRET, PLACE)

  assert.deepEqual(after.open(sealed, PLACE), SECRET)
  assert.equal(after.kek_id, otherKek.kek_id)
  assert.throws(() => before.open(after.seal(SECRET, PLACE), PLACE), NOT_OPENED)
  assert.throws(() => createSealer([{ ...otherKek, kek_id: kek.kek_id }]).open(sealed, PLACE), NOT_OPENED)
})

test('a key-encryption key has 32 bytes and a name that does not tell it', () => {
  assert.throws(() => namedKek(Buffer.alloc(31)), /32 bytes/)
  assert.throws(() => createSealer([]), /needs a key/)
  assert.equal(randomKey().length, 32)
  assert.match(kek.kek_id, /^[0-9a-f]{16}$/)
  assert.notEqual(kek.kek_id, otherKek.kek_id)
})
