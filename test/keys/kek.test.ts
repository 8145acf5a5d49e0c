import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadKek } from '../../src/server/keys/kek.ts'
import { namedKek } from '../../src/server/keys/sealing.ts'

const directory = mkdtempSync(join(tmpdir(), 'remit-kek-'))
after(() => rmSync(directory, { recursive: true }))

const noRows = async () => false
const rows = async () => true
const one = namedKek(Buffer.alloc(32, 1))
const two = namedKek(Buffer.alloc(32, 2))

function fileWith(text: string, mode = 0o600) {
  const kekFile = join(mkdtempSync(join(directory, 'f-')), 'kek')
  writeFileSync(kekFile, text)
  chmodSync(kekFile, mode)
  return { kekFile, dataDir: directory, production: true }
}

test('a key is read as hex or base64url, the first line wraps (reliability.md section 4)', async () => {
  const source = fileWith(`${two.key.toString('base64url')}\n\n${one.key.toString('hex')}\n`)

  assert.deepEqual(await loadKek(source, rows), [two, one])
})

test('development makes a missing key once, readable by its owner only (issue 2 item 5)', async () => {
  const source = { dataDir: join(mkdtempSync(join(directory, 'd-')), 'data'), production: false }

  const made = await loadKek(source, noRows)

  assert.deepEqual(await loadKek(source, rows), made)
  assert.equal(statSync(join(source.dataDir, 'kek')).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(source.dataDir), ['kek'])
})

test('starts at the same time agree on one key', async () => {
  const source = { dataDir: join(mkdtempSync(join(directory, 'd-')), 'data'), production: false }

  const [left, right] = await Promise.all([loadKek(source, noRows), loadKek(source, noRows)])

  assert.deepEqual(left, right)
})

test('a key is never made when sealed rows exist, nor in production (reliability.md section 4)', async () => {
  const source = { dataDir: join(mkdtempSync(join(directory, 'd-')), 'data'), production: false }

  await assert.rejects(loadKek(source, rows), { name: 'StartRefused', message: /missing and the database holds rows/ })
  await assert.rejects(loadKek({ ...source, production: true }, noRows), { name: 'StartRefused', message: /missing/ })
  assert.equal(existsSync(source.dataDir), false)
})

test('a key file that others may read is refused (issue 2 item 5)', async () => {
  for (const mode of [0o640, 0o604, 0o660]) {
    const source = fileWith(one.key.toString('hex'), mode)
    await assert.rejects(loadKek(source, noRows), { name: 'StartRefused', message: /chmod 600/ })
  }
})

test('a key file that holds anything else is refused without quoting it', async () => {
  for (const text of [
    '',
    'hunter2',
    `${one.key.toString('hex')}\nhunter2`,
    one.key.toString('hex').slice(1),
    `${one.key.toString('hex')}00`,
  ]) {
    const source = fileWith(text)
    await assert.rejects(loadKek(source, noRows), (error: Error) => {
      assert.match(error.message, /64 hex digits/)
      assert.doesNotMatch(error.message, /hunter2|0101/)
      return true
    })
    assert.equal(readFileSync(source.kekFile, 'utf8'), text)
  }
})
