import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { basicCredentials } from '../../src/server/token/basic-credentials.ts'

function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

test('both halves are form-decoded, the first colon parts them (RFC 6749 section 2.3.1)', () => {
  const cases: readonly [string, string, string][] = [
    ['app:secret', 'app', 'secret'],
    ['app:with:colon', 'app', 'with:colon'],
    ['a%2Bp:%26+%25', 'a+p', '& %'],
    ['app:caf%C3%A9', 'app', 'café'],
  ]
  for (const [text, client_id, client_secret] of cases) {
    assert.deepEqual(basicCredentials(encoded(text)), { client_id, client_secret })
  }
})

test('what is not exactly that is nothing (RFC 7617 section 2)', () => {
  const texts = ['app', ':secret', 'app:', 'a:b\0', 'a:b\n', 'a:%', 'a:%ff', '%zz:b', 'a:b\u007f']
  for (const text of texts) assert.equal(basicCredentials(encoded(text)), undefined, JSON.stringify(text))
  const values = ['', '!!!', 'YTpi YTpi', `${encoded('a:b')}===`, Buffer.from([0x61, 0x3a, 0xff]).toString('base64')]
  for (const value of values) assert.equal(basicCredentials(value), undefined, value)
  assert.equal(basicCredentials(encoded(`a:${'b'.repeat(2000)}`)), undefined)
})

test('what a client encodes is what the server reads', () => {
  const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
  fc.assert(
    fc.property(text, text, (client_id, client_secret) => {
      const value = encoded(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`)
      assert.deepEqual(basicCredentials(value), { client_id, client_secret })
    }),
  )
})
