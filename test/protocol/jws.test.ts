import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { isCanonicalBase64url, parseCompactJws } from '../../src/protocol/compact-jws.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { readTimes } from '../../src/protocol/jwt-times.ts'
import { verifyCompactJws } from '../../src/protocol/verify-jws.ts'
import { base64url, elapsed, forge, refusal, testKey } from './forge.ts'

const key = testKey('ES256')
const header = { alg: 'ES256', typ: 'at+jwt', kid: 'k1' }
const payload = { sub: 'a' }
const good = forge(header, payload, key)
const expected = { alg: 'ES256', typ: ['at+jwt'] }
const verify = (token: string) => verifyCompactJws(token, key.jwk, expected)
const refused = refusal('invalid_request')

test('a token in its strict form gives header and payload (RFC 7515 section 7.1)', async () => {
  assert.deepEqual(await verify(good), { header, payload })
  assert.equal(parseCompactJws(good).signingInput, good.slice(0, good.lastIndexOf('.')))
})

test('[attack 1] alg none, missing or of another type is refused (RFC 8725 section 3.1)', async () => {
  for (const alg of ['none', 'None', 'NONE', '', undefined, ['ES256'], null, 'es256']) {
    await assert.rejects(verify(forge({ ...header, alg }, payload, key)), refused)
  }
  for (const odd of [
    { ...header, alg: ['ES256'] },
    { ...header, alg: undefined },
    { ...header, typ: ['at+jwt'] },
  ]) {
    assert.throws(() => parseCompactJws(forge(odd, payload, key)), refusal('invalid_request', 'jws_header_refused'))
  }
  await assert.rejects(verify(`${base64url('{"alg":"none"}')}.${base64url('{}')}.`), refused)
})

test('[attack 2] an HMAC with our public key opens nothing (RFC 8725 section 3.1)', async () => {
  const publicKey = createPublicKey(key.privateKey)
  const pem = publicKey.export({ format: 'pem', type: 'spki' })
  const secrets = [pem, ` ${pem}`, publicKey.export({ format: 'der', type: 'spki' }), JSON.stringify(key.jwk)]
  for (const secret of secrets) {
    const input = `${base64url(JSON.stringify({ ...header, alg: 'HS256' }))}.${base64url(JSON.stringify(payload))}`
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    await assert.rejects(verify(token), refusal('invalid_request', 'jws_alg'))
  }
})

test('[attack 3] the algorithm is that of our record of the key (RFC 8725 section 3.1)', async () => {
  const rsa = testKey('RS256')
  const signed = forge({ alg: 'RS256', typ: 'at+jwt' }, payload, rsa)
  await assert.doesNotReject(verifyCompactJws(signed, rsa.jwk, { ...expected, alg: 'RS256' }))
  await assert.rejects(
    verifyCompactJws(signed, rsa.jwk, { ...expected, alg: 'PS256' }),
    refusal('invalid_request', 'jws_alg'),
  )
  const pss = forge({ alg: 'RS256', typ: 'at+jwt' }, payload, { ...rsa, alg: 'PS256' })
  await assert.rejects(verifyCompactJws(pss, rsa.jwk, { ...expected, alg: 'RS256' }), refused)
  await assert.rejects(verify(forge({ ...header, alg: 'ES384' }, payload, key)), refused)
  await assert.rejects(
    verifyCompactJws(good, testKey('ES256').jwk, expected),
    refusal('invalid_request', 'jws_signature'),
  )
  await assert.rejects(verifyCompactJws(good, rsa.jwk, expected), refused)
})

test('[attack 4] a kid is a short printable text (RFC 8725 section 3.10)', () => {
  for (const kid of ['', 'a'.repeat(129), 'a\n', '\u00e9', ['k1'], 1, null, {}, 'a\u007f']) {
    assert.throws(() => parseCompactJws(forge({ ...header, kid }, payload, key)), refusal('invalid_request', 'jws_kid'))
  }
  assert.throws(() => parseCompactJws(forge('{"alg":"ES256","kid":"a","kid":"b"}', payload, key)), refused)
})

test('[attack 5] [attack 7] key locations and extensions in the header are refused (RFC 8725 section 3.10)', async () => {
  const extras = [
    { jku: 'https://attacker.example/' },
    { x5u: 'https://attacker.example/' },
    { x5c: [] },
    { x5t: 'a' },
    { 'x5t#S256': 'a' },
    { crit: ['x'] },
    { crit: [] },
    { crit: ['b64'], b64: false },
    { b64: true },
    { crit: ['alg'] },
  ]
  for (const extra of extras) {
    const token = forge({ ...header, ...extra }, payload, key)
    await assert.rejects(verify(token), refusal('invalid_request', 'jws_header_refused'))
  }
})

test('[attack 6] an embedded key is refused where the caller does not ask for one', async () => {
  const token = forge({ ...header, jwk: key.jwk }, payload, key)
  await assert.rejects(verify(token), refusal('invalid_request', 'jws_embedded_jwk'))
  await assert.doesNotReject(verifyCompactJws(token, key.jwk, { ...expected, allowEmbeddedJwk: true }))
})

test('[attack 8] degenerate ECDSA signatures are refused (CVE-2022-21449)', async () => {
  const input = good.slice(0, good.lastIndexOf('.') + 1)
  const n = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const one = Buffer.concat([Buffer.alloc(31), Buffer.of(1)])
  const zero = Buffer.alloc(32)
  const der = Buffer.from('3006020101020101', 'hex')
  const signatures = [
    [zero, zero],
    [zero, one],
    [one, zero],
    [one, one],
    [n, n],
    [n, one],
    [one, n],
    [Buffer.alloc(32, 255), Buffer.alloc(32, 255)],
    [der],
    [zero],
    [zero, zero, zero],
    [Buffer.of(0)],
  ]
  for (const parts of signatures) {
    const token = input + base64url(Buffer.concat(parts))
    await assert.rejects(verify(token), refusal('invalid_request', 'jws_signature'))
  }
})

test('[attack 8] degenerate Ed25519 signatures are refused', async () => {
  const ed = testKey('EdDSA')
  const input = `${base64url(JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt' }))}.${base64url('{}')}.`
  for (const signature of [Buffer.alloc(64), Buffer.concat([Buffer.of(1), Buffer.alloc(63)]), Buffer.alloc(63)]) {
    await assert.rejects(verifyCompactJws(input + base64url(signature), ed.jwk, { ...expected, alg: 'EdDSA' }), refused)
  }
})

test('[attack 9] one token has one spelling (RFC 7515 section 2)', async () => {
  const [h = '', p = '', s = ''] = good.split('.')
  const last = s.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spellings = [
    `${good} `,
    ` ${good}`,
    `${good}\n`,
    `${good}\t`,
    `${good}=`,
    `${h}=.${p}.${s}`,
    `${h}.${p.slice(0, 2)}\n${p.slice(2)}.${s}`,
    `${h}.${p}.${s.slice(0, 4)} ${s.slice(4)}`,
    `${h}.${p}.${s.slice(0, -1)}${alphabet[alphabet.indexOf(last) + 1]}`,
    `${h}.${p}.+/${s.slice(2)}`,
    `${h}.${p}..${s}`,
    `${h}.${p}.${s}.`,
    `.${p}.${s}`,
    `${h}.${p}.`,
  ]
  for (const spelling of spellings) {
    await assert.rejects(verify(spelling), refusal('invalid_request', 'malformed_jws'), JSON.stringify(spelling))
  }
})

test('base64url has one spelling for the same bytes (RFC 4648 section 3.5)', () => {
  assert.ok(isCanonicalBase64url('AA'))
  for (const text of ['', 'A', 'AB', 'AA=', 'AA==', 'AAB', '+A', '/A', 'A A', 'AAAAA']) {
    assert.equal(isCanonicalBase64url(text), false, text)
  }
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), bytes => isCanonicalBase64url(base64url(bytes))))
})

test('[attack 10] [attack 11] JWE, nested and JSON forms are refused before any crypto', async () => {
  const forms = [
    `${good}.a.b`,
    `${good}.AAAA`,
    good.slice(0, good.lastIndexOf('.')),
    'a.b.c.d.e',
    `{"payload":"a","signatures":[]}`,
    good.replaceAll('.', ':'),
    '',
    '..',
  ]
  for (const form of forms) await assert.rejects(verify(form), refusal('invalid_request', 'malformed_jws'))
  const nested = forge({ ...header, cty: 'JWT' }, good, key)
  await assert.rejects(verify(nested), refusal('invalid_request', 'malformed_jws'))
})

test('[attack 12] only the kind that belongs here is taken, in any letter case (RFC 8725 section 3.11)', async () => {
  for (const typ of ['AT+JWT', 'application/at+jwt', 'Application/At+Jwt']) {
    await assert.doesNotReject(verify(forge({ ...header, typ }, payload, key)))
  }
  const others = ['JWT', 'dpop+jwt', 'logout+jwt', 'at+jwt ', 'application/application/at+jwt', '', 'xat+jwt']
  for (const typ of [...others, undefined]) {
    await assert.rejects(verify(forge({ ...header, typ }, payload, key)), refusal('invalid_request', 'jws_typ'))
  }
  const untyped = forge({ alg: 'ES256' }, payload, key)
  await assert.doesNotReject(verifyCompactJws(untyped, key.jwk, { ...expected, typMayBeAbsent: true }))
})

test('[attack 13] [attack 14] header and payload are JSON objects without duplicates (RFC 7519 section 4)', async () => {
  const payloads = [
    '{"a":1,"a":2}',
    '[]',
    '"x"',
    '1',
    'null',
    '{"a":1} x',
    '{"__proto__":{}}',
    '\ufeff{}',
    '{"exp":1e999}',
  ]
  for (const text of payloads)
    await assert.rejects(verify(forge(header, text, key)), refusal('invalid_request', 'malformed_jws'))
  for (const text of ['{"alg":"ES256","alg":"none"}', '[]', '{"alg":"ES256","typ":1}']) {
    await assert.rejects(verify(forge(text, payload, key)), refused)
  }
})

const now = 1_800_000_000

test('[attack 15] times are whole numbers inside their windows (RFC 7519 section 4.1)', () => {
  const rules = { now, maxLifetime: 300 }
  assert.deepEqual(readTimes({ exp: now + 300, iat: now, nbf: now + 10 }, rules), {
    exp: now + 300,
    iat: now,
    nbf: now + 10,
  })
  const wrong: readonly [{ [name: string]: number | string | null }, string][] = [
    [{}, 'exp_missing'],
    [{ exp: `${now + 60}` }, 'time_not_integer'],
    [{ exp: now + 60.5 }, 'time_not_integer'],
    [{ exp: -1 }, 'time_not_integer'],
    [{ exp: 1e20 }, 'time_not_integer'],
    [{ exp: 253_402_300_800 }, 'time_not_integer'],
    [{ exp: null }, 'time_not_integer'],
    [{ exp: now + 60, iat: `${now}` }, 'time_not_integer'],
    [{ exp: now + 60, nbf: 0.5 }, 'time_not_integer'],
    [{ exp: now }, 'exp_passed'],
    [{ exp: now + 60, iat: now + 11 }, 'iat_future'],
    [{ exp: now + 60, nbf: now + 11 }, 'nbf_future'],
    [{ exp: now + 290, iat: now - 11 }, 'lifetime_too_long'],
    [{ exp: now + 301 }, 'lifetime_too_long'],
  ]
  for (const [claims, reason] of wrong) {
    assert.throws(() => readTimes(claims, rules), refusal('invalid_request', reason), JSON.stringify(claims))
  }
})

test('the resource may give a token some seconds more (protocol.md section 3)', () => {
  assert.equal(readTimes({ exp: now - 4 }, { now, expGrace: 5 }).exp, now - 4)
  assert.throws(() => readTimes({ exp: now - 5 }, { now, expGrace: 5 }), refusal('invalid_request', 'exp_passed'))
  assert.throws(
    () => readTimes({ exp: now + 9, iat: now + 6 }, { now, skew: 5 }),
    refusal('invalid_request', 'iat_future'),
  )
})

test('[attack 112] adversarial tokens are answered quickly, and nothing but a refusal is thrown', () => {
  const long = forge(header, { sub: 'a'.repeat(16_384) }, key)
  assert.throws(() => parseCompactJws(long), refusal('invalid_request', 'malformed_jws'))
  const big = 'A'.repeat(65_536)
  for (const text of [
    big,
    `${big}.`,
    '.'.repeat(65_536),
    `A.A.${big}!`,
    `${'A.'.repeat(8_000)}!`,
    `${'A'.repeat(8_190)}.A.`,
  ]) {
    assert.ok(elapsed(() => parseCompactJws(text)) < 100)
    assert.throws(() => parseCompactJws(text), refused)
  }
  fc.assert(
    fc.property(fc.string(), fc.string(), (h, p) => {
      try {
        parseCompactJws(`${base64url(h)}.${base64url(p)}.AA`)
      } catch (error) {
        assert.ok(error instanceof OAuthError)
      }
    }),
  )
})
