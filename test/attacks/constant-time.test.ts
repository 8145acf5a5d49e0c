import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checksumsEqual } from '../../src/protocol/checksum.ts'
import { equalConstantTime } from '../../src/protocol/digest.ts'

/*
 * That a comparison takes as long for a near miss as for a far one cannot be measured on a machine that does other
 * things: what is looked at is by what the token endpoints compare.
 */

const ROOT = new URL('../../', import.meta.url)

/** Where what a caller sent is compared with what it is to guess, and by what. */
const COMPARISONS = [
  ['src/protocol/digest.ts', 'equalConstantTime', 'timingSafeEqual(left, right)'],
  ['src/protocol/checksum.ts', 'checksumsEqual', 'equalConstantTime(a, b)'],
  ['src/server/token/grants/agent.ts', 'provenAgent', 'checksumsEqual(value.checksum, request.computed_checksum)'],
  ['src/server/token/client-authentication.ts', 'bySecret', 'timingSafeEqual(known, digest)'],
  ['src/server/registry/bootstrap.ts', 'checkToken', 'timingSafeEqual(sha256(token), sha256(expected))'],
] as const

/** What is to be guessed, by the names that the code gives it, compared letter by letter. */
const BY_LETTER =
  /\b(checksum|client_secret|secret|mac|nonce|ath|bd)\b\s*[!=]==(?!\s*(undefined|null|'))|[!=]==\s*([\w.?]+\.)?(computed_checksum|checksum|client_secret|secret|mac|nonce|ath|bd)\b/

function textOf(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8')
}

test('[attack 29, 92] a guessed checksum, secret or token is compared in constant time (attacks.md 92)', () => {
  for (const [path, name, comparison] of COMPARISONS) {
    const [, after = ''] = textOf(path).split(`function ${name}(`)
    const [body = ''] = after.split('\n}\n')
    assert.ok(body.includes(comparison), `${name} of ${path}`)
  }
})

test('[attack 29, 92] nothing that is to be guessed is compared letter by letter where tokens are minted (attacks.md 92)', () => {
  const folder = fileURLToPath(new URL('src/server/token', ROOT))
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  assert.ok(names.length > 20)
  const protocol = ['checksum', 'digest', 'dpop', 'dpop-nonce', 'client-assertion'].map(
    name => `src/protocol/${name}.ts`,
  )
  for (const path of [...names.map(name => `src/server/token/${name}`), ...protocol]) {
    const lines = textOf(path).split('\n')
    const found = lines.filter(line => BY_LETTER.test(line))
    assert.deepEqual(found, [], path)
  }
  for (const wrong of ['value.checksum === request.computed_checksum', 'given !== expected.nonce', 'mac !== other']) {
    assert.match(wrong, BY_LETTER)
  }
})

test('[attack 92] what differs in the first or the last letter, in length or not at all (section 4)', () => {
  const checksum = 'a'.repeat(64)
  const others = [`b${checksum.slice(1)}`, `${checksum.slice(1)}b`, checksum.slice(1), `${checksum}a`, '']
  for (const equal of [checksumsEqual, equalConstantTime]) {
    assert.equal(equal(checksum, checksum), true)
    assert.deepEqual(
      others.map(other => equal(checksum, other)),
      others.map(() => false),
    )
  }
})
