import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { importPublicJwk, parseJwks, parsePem } from '../../src/protocol/jwk.ts'
import { base64url, refusal, testKey } from './forge.ts'

const p256 = testKey('ES256').jwk
const ed25519 = testKey('EdDSA').jwk
const rsa = testKey('PS256').jwk
const weak = refusal('invalid_request', 'weak_or_unknown_key')

const bytes = (value: unknown) => Buffer.from(String(value), 'base64url')
const pemOf = (jwk: object) =>
  createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ format: 'pem', type: 'spki' })
    .toString()

test('Ed25519, P-256 and RSA keys are taken with the algorithms they may be used with', async () => {
  assert.deepEqual((await importPublicJwk(ed25519)).algs, ['EdDSA', 'Ed25519'])
  assert.deepEqual((await importPublicJwk(p256)).algs, ['ES256'])
  assert.deepEqual((await importPublicJwk(rsa)).algs, ['PS256', 'RS256'])
  assert.deepEqual((await importPublicJwk({ ...rsa, alg: 'PS256' })).algs, ['PS256'])
  assert.deepEqual((await importPublicJwk({ ...ed25519, alg: 'EdDSA' })).algs, ['EdDSA', 'Ed25519'])
})

test('the thumbprint is that of RFC 7638 section 3.1 and RFC 8037 appendix A.3', async () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const rsaKey = await importPublicJwk({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' })
  assert.equal(rsaKey.jkt, 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  const okp = await importPublicJwk({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })
  assert.equal(okp.jkt, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})

test('[attack 49] other members and their order change neither key nor thumbprint (RFC 7638)', async () => {
  const { jwk, jkt } = await importPublicJwk(p256)
  const reordered = {
    y: p256.y,
    kid: 'other',
    ext: true,
    key_ops: ['verify'],
    use: 'sig',
    extra: {},
    x: p256.x,
    crv: 'P-256',
    kty: 'EC',
  }
  assert.deepEqual(await importPublicJwk(reordered), { jwk, jkt, algs: ['ES256'] })
  assert.deepEqual(Object.keys(jwk).sort(), ['crv', 'kty', 'x', 'y'])
})

test('[attack 49] coordinates have one spelling: no padding, no long or short form', async () => {
  const respelled = [
    { ...p256, x: `${p256.x}=` },
    { ...p256, x: base64url(Buffer.concat([Buffer.of(0), bytes(p256.x)])) },
    { ...p256, y: base64url(bytes(p256.y).subarray(1)) },
    { ...p256, y: base64url(Buffer.concat([Buffer.of(0), bytes(p256.y)])) },
    { ...ed25519, x: base64url(Buffer.concat([bytes(ed25519.x), Buffer.of(0)])) },
    { ...ed25519, x: `${ed25519.x}=` },
    { ...rsa, n: base64url(Buffer.concat([Buffer.of(0), bytes(rsa.n)])) },
    { ...rsa, e: base64url(Buffer.of(0, 1, 0, 1)) },
    { ...rsa, n: `${rsa.n}\n` },
    { ...p256, x: [p256.x] },
    { ...p256, x: undefined },
  ]
  for (const jwk of respelled) await assert.rejects(importPublicJwk(jwk), weak, JSON.stringify(jwk))
})

test('[attack 19] private and symmetric keys are refused (RFC 8725 section 3.5)', async () => {
  const full = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  for (const jwk of [full, { kty: 'oct', k: 'AAAA' }, { ...rsa, oth: [] }, { ...rsa, p: 1 }, { ...ed25519, d: '' }]) {
    await assert.rejects(importPublicJwk(jwk), refusal('invalid_request', 'private_key_sent'))
  }
  await assert.rejects(importPublicJwk({ kty: 'oct' }), weak)
})

test('[attack 19] curves and uses that are not ours are refused (RFC 8725 section 3.4)', async () => {
  for (const namedCurve of ['P-384', 'P-521', 'secp256k1']) {
    const jwk = generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
    await assert.rejects(importPublicJwk({ ...jwk }), weak)
    await assert.rejects(importPublicJwk({ ...jwk, crv: 'P-256' }), weak)
    await assert.rejects(parsePem(pemOf(jwk)), weak)
  }
  for (const { publicKey } of [generateKeyPairSync('ed448'), generateKeyPairSync('x25519')]) {
    await assert.rejects(importPublicJwk({ ...publicKey.export({ format: 'jwk' }) }), weak)
    await assert.rejects(parsePem(publicKey.export({ format: 'pem', type: 'spki' }).toString()), weak)
  }
  const mixed = [
    { ...ed25519, kty: 'EC' },
    { ...ed25519, crv: 'X25519' },
    { ...p256, kty: 'OKP' },
    { ...p256, crv: 'secp256k1' },
    { ...rsa, kty: 'EC' },
    { ...rsa, kty: 'rsa' },
  ]
  for (const jwk of mixed) await assert.rejects(importPublicJwk(jwk), weak)
  const p192 = { kty: 'EC', crv: 'P-192', x: 'AAAA', y: 'AAAA' }
  const misused = [
    { ...p256, use: 'enc' },
    { ...p256, key_ops: ['sign'] },
    { ...p256, alg: 'ES384' },
    { ...rsa, alg: 'RSA-OAEP' },
  ]
  for (const jwk of [p192, ...misused, { ...p256, alg: 1 }]) await assert.rejects(importPublicJwk(jwk), weak)
  for (const input of [null, [], 'key', 1, undefined]) {
    await assert.rejects(importPublicJwk(input), refusal('invalid_request', 'malformed_jwk'))
  }
})

test('[attack 19] points off the curve, of low order or not reduced are refused', async () => {
  const flipped = bytes(p256.y)
  flipped[31] = (flipped[31] ?? 0) ^ 1
  const zero = base64url(Buffer.alloc(32))
  // x = 5 and this y are on the curve; x + p names the same point a second time.
  const y = base64url(Buffer.from('459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc', 'hex'))
  const [small, unreduced] = [
    '0000000000000000000000000000000000000000000000000000000000000005',
    'ffffffff00000001000000000000000000000001000000000000000000000004',
  ].map(hex => base64url(Buffer.from(hex, 'hex')))
  await assert.doesNotReject(importPublicJwk({ ...p256, x: small, y }))
  for (const jwk of [
    { ...p256, y: base64url(flipped) },
    { ...p256, x: zero, y: zero },
    { ...p256, x: unreduced, y },
  ]) {
    await assert.rejects(importPublicJwk(jwk), weak)
  }
  const points = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '0200000000000000000000000000000000000000000000000000000000000000',
  ]
  for (const point of points) {
    await assert.rejects(importPublicJwk({ ...ed25519, x: base64url(Buffer.from(point, 'hex')) }), weak, point)
  }
})

test('every honest Ed25519 and P-256 key passes the checks on points', async () => {
  for (let round = 0; round < 50; round += 1) {
    await assert.doesNotReject(importPublicJwk(testKey('EdDSA').jwk))
    await assert.doesNotReject(importPublicJwk(testKey('ES256').jwk))
  }
})

test('[attack 19] RSA keys have 2048 to 8192 bits and an odd exponent of at least 3 (RFC 8725 section 3.5)', async () => {
  const modulus = (length: number, last = 1) =>
    base64url(Buffer.concat([Buffer.alloc(length - 1, 0xff), Buffer.of(last)]))
  for (const n of [modulus(128), modulus(255), modulus(1025), modulus(256, 2)]) {
    await assert.rejects(importPublicJwk({ ...rsa, n }), weak)
  }
  const bits2047 = Buffer.concat([Buffer.of(0x7f), Buffer.alloc(255, 0xff)])
  await assert.rejects(importPublicJwk({ ...rsa, n: base64url(bits2047) }), weak)
  for (const e of ['AQ', 'Ag', 'AA', '', base64url(Buffer.of(1, 0, 0, 0, 1)), base64url(Buffer.of(1, 0))]) {
    await assert.rejects(importPublicJwk({ ...rsa, e }), weak)
  }
  await assert.doesNotReject(importPublicJwk({ ...rsa, e: 'Aw' }))
})

test('a PEM and a JWK of one key are one key (RFC 7468 section 13)', async () => {
  for (const jwk of [p256, ed25519, rsa]) {
    const pem = pemOf(jwk)
    assert.deepEqual(await parsePem(pem), await importPublicJwk(jwk))
    assert.deepEqual(await parsePem(pem.replaceAll('\n', '\r\n')), await importPublicJwk(jwk))
  }
})

test('[attack 19] a PEM is one SPKI block and nothing else', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = pemOf(p256)
  const others = [
    publicKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    `x${pem}`,
    `${pem}${pem}`,
    ` ${pem}`,
    pem.replaceAll('PUBLIC KEY', 'CERTIFICATE'),
    pem.replace(/\n/g, ' '),
    `${pem}${'\n'.repeat(5000)}`,
    '',
  ]
  for (const other of others) await assert.rejects(parsePem(other), refusal('invalid_request', 'malformed_pem'))
  const wrap = (der: Uint8Array) =>
    `-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----\n`
  const der = createPublicKey(pem).export({ format: 'der', type: 'spki' })
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    Buffer.of(2 + ((bytes(p256.y).at(-1) ?? 0) & 1)),
    bytes(p256.x),
  ])
  await assert.doesNotReject(parsePem(wrap(der)))
  for (const odd of [Buffer.concat([der, Buffer.of(0)]), compressed, Buffer.alloc(40)]) {
    await assert.rejects(parsePem(wrap(odd)), weak)
  }
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  await assert.rejects(parsePem(short.export({ format: 'pem', type: 'spki' }).toString()), weak)
})

test('a key set has 1 to 16 keys and no kid twice (RFC 7517 section 5)', async () => {
  const keys = await parseJwks({ keys: [{ ...p256, kid: 'a' }, ed25519] })
  assert.deepEqual(keys, [{ ...(await importPublicJwk(p256)), kid: 'a' }, await importPublicJwk(ed25519)])
  for (const input of [null, [], {}, { keys: [] }, { keys: {} }, { keys: Array(17).fill(p256) }]) {
    await assert.rejects(parseJwks(input), refusal('invalid_request', 'malformed_jwks'))
  }
  const twice = {
    keys: [
      { ...p256, kid: 'a' },
      { ...ed25519, kid: 'a' },
    ],
  }
  await assert.rejects(parseJwks(twice), refusal('invalid_request', 'jwks_kid'))
  for (const kid of ['', 1, 'a'.repeat(129), 'a\0']) {
    await assert.rejects(parseJwks({ keys: [{ ...p256, kid }] }), refusal('invalid_request', 'jwks_kid'))
  }
})
