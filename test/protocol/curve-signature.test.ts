import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { parseCompactJws } from '../../src/protocol/compact-jws.ts'
import { isCurveSignature } from '../../src/protocol/curve-signature.ts'
import { verifyParsedJws } from '../../src/protocol/verify-jws.ts'
import { base64url, forge, refusal, type TestKey, testKey } from './forge.ts'

const ALGS = ['ES256', 'EdDSA', 'Ed25519'] as const

function publicOf({ privateKey }: TestKey): KeyObject {
  return createPublicKey(privateKey)
}

async function verify(token: string, key: KeyObject, alg: string) {
  await verifyParsedJws(parseCompactJws(token), key, { alg, typ: ['at+jwt'] })
}

test('a signature by the key itself is taken, for every algorithm (RFC 7515 section 5.2)', async () => {
  for (const alg of [...ALGS, 'PS256', 'RS256'] as const) {
    const key = testKey(alg)
    const token = forge({ alg, typ: 'at+jwt' }, { sub: 'a' }, key)
    await verify(token, publicOf(key), alg)
    const other = publicOf(testKey(alg))
    await assert.rejects(verify(token, other, alg), refusal('invalid_request', 'jws_signature'), alg)
  }
})

test('a changed header, payload or signature is refused (RFC 7515 section 5.2)', async () => {
  for (const alg of ALGS) {
    const key = testKey(alg)
    const [header = '', payload = '', signature = ''] = forge({ alg, typ: 'at+jwt' }, { sub: 'a' }, key).split('.')
    const changed = [
      `${base64url(JSON.stringify({ alg, typ: 'at+jwt', kid: 'x' }))}.${payload}.${signature}`,
      `${header}.${base64url('{"sub":"b"}')}.${signature}`,
      `${header}.${payload}.${base64url(Buffer.from(signature, 'base64url').reverse())}`,
      `${header}.${payload}.${signature}AAAA`,
      `${header}.${payload}.${signature.slice(0, -2)}`,
    ]
    for (const token of changed) {
      await assert.rejects(verify(token, publicOf(key), alg), refusal('invalid_request', 'jws_signature'), token)
    }
  }
})

test('[attack 8] degenerate signatures are refused for a key that was imported before (CVE-2022-21449)', async () => {
  const n = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const one = Buffer.concat([Buffer.alloc(31), Buffer.of(1)])
  const zero = Buffer.alloc(32)
  const numbers = [zero, one, n, Buffer.alloc(32, 255)]
  const signatures = [
    ...numbers.flatMap(r => numbers.map(s => Buffer.concat([r, s]))),
    Buffer.from('3006020101020101', 'hex'),
    Buffer.alloc(63),
    Buffer.alloc(65),
    Buffer.of(0),
  ]
  for (const alg of ALGS) {
    const key = publicOf(testKey(alg))
    const input = `${base64url(JSON.stringify({ alg, typ: 'at+jwt' }))}.${base64url('{}')}.`
    for (const signature of signatures) {
      const token = input + base64url(signature)
      await assert.rejects(verify(token, key, alg), refusal('invalid_request', 'jws_signature'))
    }
  }
})

test('[attack 3] algorithm and key must be of one kind (RFC 8725 section 3.1)', async () => {
  const keys = [testKey('ES256'), testKey('EdDSA'), testKey('RS256')]
  for (const alg of [...ALGS, 'PS256', 'RS256', 'HS256', 'none']) {
    for (const key of keys.filter(({ alg: own }) => kindOf(own) !== kindOf(alg))) {
      const token = forge({ alg, typ: 'at+jwt' }, {}, key)
      await assert.rejects(verify(token, publicOf(key), alg), refusal('invalid_request', 'jws_signature'))
    }
  }
})

function kindOf(alg: string): string {
  return alg.startsWith('Ed') ? 'ed25519' : alg.endsWith('S256') && alg !== 'HS256' && alg !== 'ES256' ? 'rsa' : alg
}

test('[attack 3] a key of a longer curve takes no ES256 (RFC 7518 section 3.4)', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const token = forge({ alg: 'ES256', typ: 'at+jwt' }, {}, { alg: 'ES256', privateKey, jwk: {} })
  await assert.rejects(verify(token, publicKey, 'ES256'), refusal('invalid_request', 'jws_signature'))
})

test('a private key verifies nothing', () => {
  const key = testKey('ES256')
  const { signingInput, signature } = parseCompactJws(forge({ alg: 'ES256' }, {}, key))
  assert.equal(isCurveSignature(key.privateKey, { alg: 'ES256', signingInput, signature }), undefined)
})
