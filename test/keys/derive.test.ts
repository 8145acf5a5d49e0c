import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { deriveKeys, loadServerSecret } from '../../src/server/keys/derive.ts'
import { createSealer, namedKek } from '../../src/server/keys/sealing.ts'
import { readServerSecret } from '../../src/server/store/server-secrets.ts'
import { createTestDatabase } from '../support/database.ts'

const sealer = createSealer([namedKek(Buffer.alloc(32, 1))])
const NOW = new Date('2026-11-21T12:00:00Z')
const { db, drop } = await createTestDatabase()
after(drop)

test('nodes that start together share one root secret, sealed at rest (reliability.md section 4)', async () => {
  const [left, right] = await Promise.all([loadServerSecret(db, sealer, NOW), loadServerSecret(db, sealer, NOW)])

  assert.deepEqual(left, right)
  assert.deepEqual(await loadServerSecret(db, sealer, NOW), left)
  assert.deepEqual((await readServerSecret(db, 'root'))?.created_at, NOW)
})

test('each purpose has a key of its own, always the same for one root (reliability.md section 4, RFC 5869)', () => {
  const keys = deriveKeys(Buffer.alloc(32, 7))

  assert.deepEqual(deriveKeys(Buffer.alloc(32, 7)), keys)
  assert.equal(new Set(Object.values(keys).map(key => key.toString('hex'))).size, 3)
  assert.notDeepEqual(deriveKeys(Buffer.alloc(32, 8)), keys)
})
