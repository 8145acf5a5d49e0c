import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyClientAssertion } from '../../src/protocol/client-assertion.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { withKeyObject } from '../../src/protocol/proof-keys.ts'
import { countVerifications } from '../support/count-verifications.ts'
import { forge, refusal, testKey } from './forge.ts'

const now = 1_800_000_000
const issuer = 'https://as.example'
const key = testKey('ES256')
const otherKey = testKey('ES256')
const edKey = testKey('EdDSA')
const rsaKey = testKey('PS256')
const claims = { iss: 'app', sub: 'app', aud: issuer, jti: 'one', iat: now, exp: now + 60 }

const signer = async (jwk: object) => withKeyObject(await importPublicJwk(jwk))
const clients = new Map([
  ['app', [{ ...(await signer(key.jwk)), kid: 'k1' }, await signer(edKey.jwk)]],
  ['two', [await signer(key.jwk), { ...(await signer(otherKey.jwk)), kid: 'k2' }]],
  ['rsa', [await signer({ ...rsaKey.jwk, alg: 'PS256' })]],
])
async function lookup(client_id: string) {
  const keys = clients.get(client_id)
  return keys && { client_id, keys }
}
const options = { issuer, now, lookup }

const assertion = (extra: object = {}, header: object = {}, by = key) =>
  forge({ alg: by.alg, ...header }, { ...claims, ...extra }, by)

async function refused(text: string, reason?: string): Promise<void> {
  await assert.rejects(verifyClientAssertion(text, options), error => {
    assert.ok(error instanceof OAuthError)
    assert.equal(error.code, 'invalid_client')
    assert.equal(error.message, 'Client authentication failed.')
    if (reason !== undefined) assert.equal(error.reason, reason)
    return true
  })
}

test('a good assertion names the client and how long its jti matters (RFC 7523 section 3)', async () => {
  const { jkt } = await importPublicJwk(key.jwk)
  const answer = { client_id: 'app', jti: 'one', jkt, expires_at: now + 70 }
  assert.deepEqual(await verifyClientAssertion(assertion(), options), answer)
  assert.deepEqual(await verifyClientAssertion(assertion({ aud: [issuer] }), options), answer)
  const byOther = { ...answer, jkt: (await importPublicJwk(edKey.jwk)).jkt }
  assert.deepEqual(await verifyClientAssertion(assertion({}, {}, edKey), options), byOther)
})

test('[attack 12] typ is absent, JWT or client-authentication+jwt (RFC 10070)', async () => {
  for (const typ of ['JWT', 'jwt', 'client-authentication+jwt', 'application/client-authentication+jwt']) {
    await assert.doesNotReject(verifyClientAssertion(assertion({}, { typ }), options))
  }
  for (const typ of ['at+jwt', 'dpop+jwt', 'oauth-authz-req+jwt', 'logout+jwt', 'agent-key+jwt']) {
    await refused(assertion({}, { typ }), 'jws_typ')
  }
})

test('[attack 20] the audience is the issuer as the sole value (RFC 10070)', async () => {
  const others = [
    `${issuer}/oauth/token`,
    `${issuer}/`,
    'https://AS.example',
    'https://other.example',
    [issuer, 'https://other.example'],
    [issuer, issuer],
    [],
    [[issuer]],
    { iss: issuer },
    undefined,
    null,
    '',
  ]
  for (const aud of others) await refused(assertion({ aud }), 'assertion_audience')
})

test('[attack 21] an assertion matters until its exp has passed on every clock', async () => {
  const { expires_at } = await verifyClientAssertion(assertion(), options)
  await assert.rejects(verifyClientAssertion(assertion(), { ...options, now: expires_at }))
})

test('[attack 22] jti is a printable text of 1 to 256 characters', async () => {
  for (const jti of [undefined, 1, '', 'a'.repeat(257), 'a'.repeat(10_240), 'a\0', ['a'], null]) {
    await refused(assertion({ jti }), typeof jti === 'string' && jti.includes('\0') ? 'malformed_jws' : 'assertion_jti')
  }
})

test('[attack 23] [attack 15] lifetime at most 300 s, clocks at most 10 s apart (protocol.md section 3)', async () => {
  const good = [
    { iat: now + 8, nbf: now + 8 },
    { exp: now + 300 },
    { iat: undefined, exp: now + 300 },
    { exp: now + 1 },
  ]
  for (const extra of good)
    await assert.doesNotReject(verifyClientAssertion(assertion(extra), options), JSON.stringify(extra))
  await refused(assertion({ exp: now - 300 }), 'exp_passed')
  await refused(assertion({ exp: now }), 'exp_passed')
  await refused(assertion({ exp: undefined }), 'exp_missing')
  await refused(assertion({ exp: 253_370_764_800 }), 'lifetime_too_long')
  await refused(assertion({ exp: 253_370_764_800, iat: undefined }), 'lifetime_too_long')
  await refused(assertion({ exp: now + 301 }), 'lifetime_too_long')
  await refused(assertion({ iat: now + 61 }), 'iat_future')
  await refused(assertion({ nbf: now + 61 }), 'nbf_future')
  await refused(assertion({ exp: `${now + 60}` }), 'time_not_integer')
})

test('[attack 24] [attack 16] iss and sub are both the client, exactly (RFC 7523 section 3)', async () => {
  for (const iss of [undefined, 'two', 'App', 'app/', ['app'], { a: 1 }]) {
    await refused(assertion({ iss }), 'assertion_subject')
  }
  for (const sub of [undefined, 'nobody', 'App', ['app'], 'app ', '__proto__', '../app']) {
    await refused(assertion({ sub }), 'client_unknown')
  }
  await refused(assertion({ sub: 'two' }, { kid: 'k2' }))
  const asOther = async () => ({ client_id: 'app', keys: clients.get('app') ?? [] })
  const mixed = verifyClientAssertion(assertion({ sub: 'two' }), { ...options, lookup: asOther })
  await assert.rejects(mixed, refusal('invalid_client', 'assertion_subject'))
})

test('[attack 3] [attack 4] the key comes from our record by kid, else by the algorithm alone', async () => {
  await assert.doesNotReject(verifyClientAssertion(assertion({}, { kid: 'k1' }), options))
  const { jkt } = await signer(key.jwk)
  await assert.doesNotReject(verifyClientAssertion(assertion({}, { kid: jkt }), options))
  await refused(assertion({}, { kid: 'k2' }), 'client_key_unknown')
  await refused(assertion({}, {}, otherKey), 'jws_signature')
  const two = { iss: 'two', sub: 'two' }
  await assert.doesNotReject(verifyClientAssertion(assertion(two, { kid: 'k2' }, otherKey), options))
  await refused(assertion(two), 'client_key_unknown')
  const rsa = { iss: 'rsa', sub: 'rsa' }
  await assert.doesNotReject(verifyClientAssertion(assertion(rsa, {}, rsaKey), options))
  await refused(assertion(rsa, {}, { ...rsaKey, alg: 'RS256' }), 'client_key_unknown')
})

test('[attack 1] [attack 6] [attack 13] tokens that are no strict JWS by a registered key are refused', async () => {
  for (const alg of ['none', 'HS256', '', 'ES384']) await refused(assertion({}, { alg }))
  await refused(assertion({}, { jwk: otherKey.jwk }, otherKey), 'jws_embedded_jwk')
  await refused(
    forge('{"alg":"ES256"}', `{"iss":"app","sub":"app","sub":"two","aud":"${issuer}"}`, key),
    'malformed_jws',
  )
  for (const text of ['', 'x', `${assertion()}=`, `${assertion()}\n`]) await refused(text, 'malformed_jws')
})

test('[attack 29] an unknown client costs the one verification that a wrong key costs', async t => {
  const count = countVerifications(t)
  for (const by of [otherKey, testKey('EdDSA'), testKey('Ed25519'), testKey('PS256'), testKey('RS256')]) {
    await refused(assertion({ iss: 'nobody', sub: 'nobody' }, {}, by), 'client_unknown')
    assert.equal(count(), 1, by.alg)
  }
  await refused(assertion({}, {}, otherKey), 'jws_signature')
  assert.equal(count(), 1)
})

test('a failing lookup is not taken for a refusal', async () => {
  const broken = async () => {
    throw new Error('database')
  }
  await assert.rejects(verifyClientAssertion(assertion(), { ...options, lookup: broken }), /database/)
})
