import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { verifyDpopProof } from '../../src/protocol/dpop.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { normaliseHtu } from '../../src/protocol/htu.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { base64url, elapsed, forge, refusal, testKey } from './forge.ts'

const now = 1_800_000_000
const key = testKey('ES256')
const expected = { htm: 'POST', htu: 'https://as.example/oauth/token', now }
const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk }
const claims = { jti: 'one', htm: 'POST', htu: 'https://as.example/oauth/token', iat: now }

const proof = (extra: object = {}, extraHeader: object = {}, by = key) =>
  forge({ ...header, alg: by.alg, jwk: by.jwk, ...extraHeader }, { ...claims, ...extra }, by)
const verify = (text: string) => verifyDpopProof(text, expected)
const refused = (reason?: string) => refusal('invalid_dpop_proof', reason)

test('a good proof gives key, jti and the last second it matters (RFC 9449 section 4.3)', async () => {
  const { jwk, jkt } = await importPublicJwk(key.jwk)
  assert.deepEqual(await verify(proof()), { jti: 'one', jkt, jwk, iat: now, expires_at: now + 60 })
  const body = sha256Base64url('body')
  const bound = proof({ nonce: 'n', bd: body, scope: 'a b', unknown: {} }, { kid: 'ignored' })
  assert.deepEqual(await verify(bound), {
    jti: 'one',
    jkt,
    jwk,
    iat: now,
    nonce: 'n',
    bd: body,
    scope: 'a b',
    expires_at: now + 60,
  })
})

test('proofs by ES256, EdDSA, Ed25519 and PS256 are taken, no other (protocol.md section 3)', async () => {
  for (const alg of ['EdDSA', 'Ed25519', 'PS256'] as const)
    await assert.doesNotReject(verify(proof({}, {}, testKey(alg))))
  await assert.rejects(verify(proof({}, {}, testKey('RS256'))), refused('dpop_alg'))
  const only = { ...expected, algs: ['ES256'] }
  await assert.rejects(verifyDpopProof(proof({}, {}, testKey('EdDSA')), only), refused('dpop_alg'))
})

test('[attack 31] two proofs in one header, or none, are refused (RFC 9449 section 4.3)', async () => {
  for (const text of [`${proof()}, ${proof()}`, `${proof()},${proof()}`, '', ' ', 'x']) {
    await assert.rejects(verify(text), refused('malformed_jws'))
  }
})

test('[attack 32] [attack 12] typ, alg and jwk of the header are strict (RFC 9449 section 4.3)', async () => {
  for (const typ of ['JWT', 'at+jwt', undefined, 'dpop']) {
    await assert.rejects(verify(proof({}, { typ })), refused('jws_typ'))
  }
  await assert.doesNotReject(verify(proof({}, { typ: 'application/DPoP+JWT' })))
  for (const alg of ['none', 'HS256', 'ES384', 'RS256', '']) {
    await assert.rejects(verify(proof({}, { alg })), refused('dpop_alg'))
  }
  await assert.rejects(verify(proof({}, { alg: 'EdDSA' })), refused('dpop_alg'))
  const full = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  await assert.rejects(verify(proof({}, { jwk: full })), refused('private_key_sent'))
  await assert.rejects(verify(proof({}, { jwk: { kty: 'oct', k: 'AA' } })), refused('private_key_sent'))
  await assert.rejects(verify(proof({}, { jwk: undefined })), refused('malformed_jwk'))
  await assert.rejects(verify(proof({}, { jwk: testKey('ES256').jwk })), refused('jws_signature'))
  await assert.rejects(verify(proof({}, {}, testKey('PS256', 1024))), refused('weak_or_unknown_key'))
})

test('[attack 33] claims are there and of their types (RFC 9449 section 4.2)', async () => {
  const wrong: readonly [object, string][] = [
    [{ jti: undefined }, 'dpop_jti'],
    [{ jti: 1 }, 'dpop_jti'],
    [{ jti: '' }, 'dpop_jti'],
    [{ jti: 'a'.repeat(257) }, 'dpop_jti'],
    [{ jti: 'a\n' }, 'dpop_jti'],
    [{ htm: undefined }, 'dpop_htm'],
    [{ htm: ['POST'] }, 'dpop_htm'],
    [{ htu: undefined }, 'dpop_htu'],
    [{ htu: [claims.htu] }, 'dpop_htu'],
    [{ iat: undefined }, 'dpop_iat'],
    [{ iat: `${now}` }, 'time_not_integer'],
    [{ iat: now + 0.5 }, 'time_not_integer'],
    [{ nonce: 1 }, 'dpop_nonce'],
    [{ nonce: 'a b' }, 'dpop_nonce'],
    [{ bd: 'short' }, 'dpop_bd'],
    [{ bd: `${'A'.repeat(42)}B` }, 'dpop_bd'],
    [{ scope: 'a  b' }, 'dpop_scope'],
    [{ scope: '' }, 'dpop_scope'],
  ]
  for (const [extra, reason] of wrong) {
    await assert.rejects(verify(proof(extra)), refused(reason), JSON.stringify(extra))
  }
})

test('[attack 33] ath is the hash of the access token that comes along (RFC 9449 section 4.2)', async () => {
  const withToken = { ...expected, ath: sha256Base64url('token') }
  await assert.doesNotReject(verifyDpopProof(proof({ ath: withToken.ath }), withToken))
  for (const ath of [undefined, sha256Base64url('other'), '', 1, `${withToken.ath}=`]) {
    await assert.rejects(verifyDpopProof(proof({ ath }), withToken), refused('dpop_ath'))
  }
})

test('[attack 34] htm is the method, letter for letter (RFC 9449 section 4.3)', async () => {
  for (const htm of ['GET', 'post', 'Post', 'POST ']) await assert.rejects(verify(proof({ htm })), refused('dpop_htm'))
})

test('[attack 35] [attack 36] htu is the URL, normalised as RFC 3986 section 6.2 says and no further', async () => {
  const same = [
    'HTTPS://AS.example/oauth/token',
    'https://as.example:443/oauth/token',
    'https://as.example/oauth/token?a=b#c',
    'https://as.example/oauth/token#c',
  ]
  for (const htu of same) await assert.doesNotReject(verify(proof({ htu })), htu)
  const other = [
    'https://as.example/oauth/revoke',
    'https://as.example/OAUTH/token',
    'https://evil.example/oauth/token',
    'http://as.example/oauth/token',
    'https://as.example:8443/oauth/token',
    'https://as.example:0443/oauth/token',
    'https://as.example:/oauth/token',
    'https://user@as.example/oauth/token',
    'https://as.example@evil.example/oauth/token',
    'https://as.example/x/../oauth/token',
    'https://as.example/x/%2e%2e/oauth/token',
    'https://as.example/./oauth/token',
    'https://as.example//oauth/token',
    'https://as.example/oauth//token',
    'https://as.example/oauth/token/',
    'https://as.example/oauth\\token',
    'https:\\\\as.example/oauth/token',
    'https://as.example/oauth/%74oken',
    'https://\u0430s.example/oauth/token',
    'https://as.example./oauth/token',
    'https:as.example/oauth/token',
    '//as.example/oauth/token',
    '/oauth/token',
    ' https://as.example/oauth/token',
    'https://as.example/oauth/token\n',
    'https://as.exa\tmple/oauth/token',
    '',
  ]
  for (const htu of other) await assert.rejects(verify(proof({ htu })), refused('dpop_htu'), htu)
})

test('a URL whose own form is refused matches nothing, not even itself (RFC 9449 section 4.3)', async () => {
  const htu = 'https://as.example/a/../b'
  await assert.rejects(verifyDpopProof(proof({ htu }), { ...expected, htu }), refused('dpop_htu'))
})

test('normaliseHtu gives one form that is its own form, and agrees with WHATWG URL where both take a URL', () => {
  for (const url of [
    'https://a/\\b',
    'https://a/\u00e9',
    'https://a/ b',
    'https://a/?\n',
    `https://a/${'b'.repeat(4096)}`,
  ]) {
    assert.equal(normaliseHtu(url), undefined, url)
  }
  assert.equal(normaliseHtu('HTTP://[2001:DB8::1]:80?x'), 'http://[2001:db8::1]/')
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), url => {
      const form = normaliseHtu(url)
      if (form === undefined) return
      const parsed = new URL(url)
      assert.equal(normaliseHtu(form), form)
      assert.equal(new URL(form).host, parsed.host)
      assert.equal(new URL(form).pathname, parsed.pathname)
    }),
  )
})

test('[attack 37] a proof is fresh: 60 s back, 10 s ahead, its own exp and nbf kept (protocol.md section 3)', async () => {
  const good = [{ iat: now - 60 }, { iat: now + 10 }, { exp: now + 1 }, { nbf: now + 10 }]
  for (const extra of good) await assert.doesNotReject(verify(proof(extra)), JSON.stringify(extra))
  const wrong: readonly [object, string][] = [
    [{ iat: now - 61 }, 'dpop_iat'],
    [{ iat: now + 11 }, 'dpop_iat'],
    [{ iat: now - 3600 }, 'dpop_iat'],
    [{ iat: now + 3600 }, 'dpop_iat'],
    [{ exp: now }, 'dpop_exp'],
    [{ nbf: now + 11 }, 'dpop_nbf'],
  ]
  for (const [extra, reason] of wrong)
    await assert.rejects(verify(proof(extra)), refused(reason), JSON.stringify(extra))
})

test('[attack 40] a proof matters as long as it is inside its window, also one from ahead', async () => {
  const early = proof({ iat: now + 10 })
  const { expires_at } = await verify(early)
  await assert.doesNotReject(verifyDpopProof(early, { ...expected, now: expires_at }))
  await assert.rejects(verifyDpopProof(early, { ...expected, now: expires_at + 1 }), refused('dpop_iat'))
})

test('[attack 41] one jti under two keys are two proofs: the answer names the key', async () => {
  const [mine, theirs] = [await verify(proof()), await verify(proof({}, {}, testKey('ES256')))]
  assert.equal(mine.jti, theirs.jti)
  assert.notEqual(mine.jkt, theirs.jkt)
})

test('[attack 49] one key has one thumbprint, whatever the header adds to it', async () => {
  const { jkt } = await verify(proof())
  const dressed = { use: 'sig', kid: 'x', ...key.jwk, more: 1 }
  assert.equal((await verify(proof({}, { jwk: dressed }))).jkt, jkt)
  await assert.rejects(verify(proof({}, { jwk: { ...key.jwk, x: `${key.jwk.x}=` } })), refused('weak_or_unknown_key'))
})

test('[attack 112] any input ends in invalid_dpop_proof, quickly', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (h, p) => {
      const text = `${base64url(JSON.stringify(h))}.${base64url(JSON.stringify(p))}.AA`
      await assert.rejects(verify(text), error => error instanceof OAuthError && error.code === 'invalid_dpop_proof')
    }),
  )
  const urls = [
    'https://a/'.repeat(6_554),
    `https://a${'/.'.repeat(32_768)}`,
    `https://${'a.'.repeat(32_768)}`,
    '/'.repeat(65_536),
  ]
  for (const url of [...urls, ...urls.map(text => text.slice(0, 4_096))])
    assert.ok(elapsed(() => normaliseHtu(url)) < 100)
})
