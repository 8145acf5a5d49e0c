import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { checkCanary } from '../../src/server/keys/canary.ts'
import { createSealer, namedKek } from '../../src/server/keys/sealing.ts'
import { readCanary, sealedRowsExist } from '../../src/server/store/sealing-canary.ts'
import { createTestDatabase } from '../support/database.ts'

const one = namedKek(Buffer.alloc(32, 1))
const two = namedKek(Buffer.alloc(32, 2))
const { db, drop } = await createTestDatabase()
after(drop)

test('the first start writes the canary, and a start with another key refuses and writes nothing (reliability.md section 4)', async () => {
  assert.equal(await sealedRowsExist(db), false)
  await Promise.all([checkCanary(db, createSealer([one])), checkCanary(db, createSealer([one]))])
  const written = await readCanary(db)

  await assert.rejects(checkCanary(db, createSealer([two])), {
    name: 'StartRefused',
    message: `The key-encryption key is not the one this database was sealed with (kek_id ${one.kek_id}): give the file that holds that key in REMIT_KEK_FILE.`,
  })

  assert.deepEqual(await readCanary(db), written)
  assert.equal(written?.kek_id, one.kek_id)
  assert.equal(await sealedRowsExist(db), true)
  await checkCanary(db, createSealer([two, one]))
})
