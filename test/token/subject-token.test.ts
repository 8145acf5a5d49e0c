import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { exportJWK } from 'jose'
import { sql } from 'kysely'
import { sha256 } from '../../src/protocol/digest.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { IssuerPurpose } from '../../src/protocol/trusted-issuer.ts'
import { transaction } from '../../src/server/context.ts'
import { createRevocation } from '../../src/server/registry/revocations.ts'
import { changeTrustedIssuer, deleteTrustedIssuer } from '../../src/server/registry/trusted-issuer-changes.ts'
import { purgeRevocations } from '../../src/server/store/revocations.ts'
import { readForeignSubject } from '../../src/server/token/subject-token.ts'
import { givenServer } from '../fetch/given.ts'
import { caller, refused } from '../registry/given.ts'
import { startTestApp } from '../support/app.ts'
import { asWebKey } from '../support/as-web-key.ts'
import { generateKey, signJws, type TestKey } from '../support/dpop.ts'
import { givenClient, givenResource } from '../support/given.ts'
import {
  ACCESS_TOKEN_TYPE,
  AUDIENCE,
  FOREIGN,
  foreignToken,
  givenTrustedIssuer,
  ID_TOKEN_TYPE,
  JWT_TYPE,
  proofBy,
} from './foreign.ts'

const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
const { ctx, clock } = app
const key = await generateKey()
const API = 'https://api.example.com'
const DAY = 86_400
await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
const { client_id } = await givenClient(app)
const clients = [client_id]
await givenTrustedIssuer(app, key, { name: 'corp', clients })

type Asked = { type?: string; client_id?: string; purposes?: readonly IssuerPurpose[]; jkt?: string }

async function read(token: string, asked: Asked = {}) {
  const { type = JWT_TYPE, jkt, purposes = ['user'] } = asked
  const proof = jkt === undefined ? undefined : proofBy(jkt)
  const by = { client_id: asked.client_id ?? client_id, purposes, proof }
  return await readForeignSubject(ctx, { token, type }, by)
}

async function reasonOf(token: string, asked?: Asked): Promise<string> {
  const { code, reason } = await refused(read(token, asked))
  assert.equal(code, 'invalid_request')
  return reason
}

/** A record with an audience of its own, so that records of this file do not meet. */
async function givenRecord(name: string, over: object = {}, by: TestKey = key) {
  await givenTrustedIssuer(app, by, { name, audience: name, clients, ...over })
  return async (payload: object = {}, header: object = {}, signer = by) =>
    await foreignToken(app, signer, { aud: name, ...payload }, { ...header })
}

test('a token of a trusted issuer names its subject, its end, its digest and the record of its issuer (protocol.md section 6)', async () => {
  const token = await foreignToken(app, key)
  const signed = token.slice(0, token.lastIndexOf('.'))
  const { rows } = await sql<{
    version: string
  }>`select xmin::text as version from trusted_issuer where name = 'corp'`.execute(app.ctx.db)
  assert.deepEqual(await read(token), {
    sub: 'user:corp:42',
    purpose: 'user',
    access: null,
    expires_at: new Date((clock.seconds() + 120) * 1000),
    digest: sha256(signed),
    record: { kind: 'trusted_issuer', id: 'corp', version: rows[0]?.version },
  })
  const again = await foreignToken(app, key)
  assert.notEqual(again, token, 'another signature')
  assert.deepEqual((await read(again)).digest, sha256(signed), 'of the same statement')
  assert.equal((await read(await foreignToken(app, key, { aud: [AUDIENCE] }))).sub, 'user:corp:42')
})

test('[attack 50] a subject token of another issuer, client, purpose or state is refused, all with one text', async () => {
  const good = await foreignToken(app, key)
  const { client_id: other } = await givenClient(app)
  const cases: readonly [string, string, Asked?][] = [
    ['subject_token_issuer', await foreignToken(app, key, { iss: 'https://other.example.com' })],
    ['subject_token_issuer', await foreignToken(app, key, { iss: `${FOREIGN}/` })],
    ['subject_token_issuer', await foreignToken(app, key, { iss: undefined })],
    ['subject_token_own', await foreignToken(app, key, { iss: app.issuer })],
    ['subject_token_issuer', good, { client_id: other }],
    ['subject_token_issuer', good, { purposes: ['operator', 'workload'] }],
    ['jws_signature', await foreignToken(app, await generateKey())],
    ['malformed_jws', 'not-a-token'],
    ['malformed_jws', `${good}.e30`],
  ]
  for (const [reason, token, asked] of cases) assert.equal(await reasonOf(token, asked), reason)
  const texts = await Promise.all(
    cases.map(([, token, asked]) =>
      read(token, asked).catch(error => (error instanceof OAuthError ? error.message : '')),
    ),
  )
  assert.deepEqual([...new Set(texts)], ['The subject token is not one that is accepted here.'])
})

test('[attack 50] the token type must be what the token is: id_token, access_token or jwt, nothing else', async () => {
  const any = await givenRecord('kinds', { typs: ['JWT', 'at+jwt', 'special+jwt'], typ_may_be_absent: true })
  const tokens = {
    JWT: await any(),
    none: await any({}, { typ: undefined }),
    'at+jwt': await any({}, { typ: 'at+jwt' }),
    'special+jwt': await any({}, { typ: 'special+jwt' }),
  }
  const accepted: Record<string, readonly string[]> = {
    [ID_TOKEN_TYPE]: ['JWT', 'none'],
    [ACCESS_TOKEN_TYPE]: ['at+jwt'],
    [JWT_TYPE]: ['JWT', 'none', 'at+jwt', 'special+jwt'],
    'urn:ietf:params:oauth:token-type:saml2': [],
    'urn:ietf:params:oauth:token-type:refresh_token': [],
    constructor: [],
    '': [],
  }
  for (const [type, kinds] of Object.entries(accepted)) {
    for (const [kind, token] of Object.entries(tokens)) {
      if (kinds.includes(kind)) assert.equal((await read(token, { type })).sub, 'user:kinds:42')
      else assert.equal(await reasonOf(token, { type }), 'subject_token_type', `${kind} as ${type}`)
    }
  }
})

test('[attack 131] a typ that the record does not name, or none where it must be there, is refused', async () => {
  for (const typ of ['at+jwt', 'logout+jwt', 'dpop+jwt', 'secevent+jwt', undefined]) {
    assert.equal(await reasonOf(await foreignToken(app, key, {}, { typ })), 'jws_typ')
  }
  assert.equal((await read(await foreignToken(app, key, {}, { typ: 'application/jwt' }))).sub, 'user:corp:42')
  const event = await foreignToken(app, key, { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } })
  assert.equal(await reasonOf(event), 'subject_token_event', 'a logout token proves nobody')
})

test('[attack 131] the algorithm is one of the key and of the record, whatever the header says', async () => {
  const rsa = await generateKey('RS256')
  const pss = { ...rsa, alg: 'PS256', privateKey: await pssOf(rsa) }
  const rs = await givenRecord('rs', { algs: ['RS256'] }, rsa)
  assert.equal((await read(await rs())).sub, 'user:rs:42')
  assert.equal(await reasonOf(await rs({}, {}, pss)), 'subject_token_alg')
  assert.equal(await reasonOf(await rs({}, {}, key)), 'subject_token_alg')
  const ed = await generateKey('EdDSA')
  const eddsa = await givenRecord('ed', { algs: ['EdDSA', 'ES256'] }, ed)
  for (const alg of ['EdDSA', 'Ed25519']) assert.equal((await read(await eddsa({}, { alg }))).sub, 'user:ed:42')
  assert.equal(await reasonOf(await eddsa({}, {}, key)), 'subject_token_key', 'allowed, but no key is of its kind')
  const token = await foreignToken(app, key)
  const [, payload] = token.split('.')
  for (const alg of ['none', 'HS256']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')
    const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(`${header}.${payload}`).digest('base64url')
    assert.equal(await reasonOf(`${header}.${payload}.${mac}`), 'subject_token_alg')
  }
})

async function pssOf({ privateKey }: TestKey): Promise<CryptoKey> {
  const jwk = { ...(await exportJWK(privateKey)), alg: 'PS256' }
  return await crypto.subtle.importKey('jwk', jwk, { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['sign'])
}

test('[attack 131] a token for another audience, or for several, is refused', async () => {
  for (const aud of ['other-app', [AUDIENCE, 'other-app'], [], undefined, [[AUDIENCE]], `${AUDIENCE} `]) {
    assert.equal(await reasonOf(await foreignToken(app, key, { aud })), 'subject_token_claims')
  }
})

test('[attack 131] of an issuer that many tenants share each record takes the tokens of its own', async () => {
  const shared = { audience: 'shared', issuer: 'https://shared.example.com', clients }
  for (const tid of ['red', 'blue'])
    await givenTrustedIssuer(app, key, { ...shared, name: `t-${tid}`, claims: { tid } })
  const token = (payload: object) => foreignToken(app, key, { iss: shared.issuer, aud: 'shared', ...payload })
  assert.equal((await read(await token({ tid: 'red' }))).sub, 'user:t-red:42')
  assert.equal((await read(await token({ tid: 'blue' }))).sub, 'user:t-blue:42')
  for (const tid of ['green', undefined, ['red'], 'RED', true]) {
    assert.equal(await reasonOf(await token({ tid })), 'subject_token_claims')
  }
  await givenTrustedIssuer(app, key, { ...shared, name: 'premium', claims: { plan: 'premium' } })
  assert.equal(await reasonOf(await token({ tid: 'red', plan: 'premium' })), 'subject_token_ambiguous')
})

test('every claim of the record must be equal, with its type, and acr one of its values', async () => {
  const level = await givenRecord('level', { claims: { level: 3, staff: true }, acr_values: ['mfa', 'key'] })
  const fits = { level: 3, staff: true, acr: 'key' }
  assert.equal((await read(await level(fits))).sub, 'user:level:42')
  const wrong = [{ level: '3' }, { staff: 'true' }, { staff: undefined }, { acr: 'pwd' }, { acr: undefined }]
  for (const over of [...wrong, { acr: ['key'] }]) {
    assert.equal(await reasonOf(await level({ ...fits, ...over })), 'subject_token_claims')
  }
})

test('times: exp and iat are due, iat lies within max_age and not ahead, nbf is kept (protocol.md section 6)', async () => {
  const aged = await givenRecord('aged', { max_age: 60 })
  const now = clock.seconds()
  for (const times of [{ iat: now - 60 }, { iat: now + 10, nbf: now + 10 }, { exp: now + 1 }]) {
    assert.equal((await read(await aged(times))).sub, 'user:aged:42')
  }
  const cases: readonly [object, string][] = [
    [{ iat: now - 61 }, 'subject_token_old'],
    [{ iat: now + 11 }, 'iat_future'],
    [{ iat: undefined }, 'iat_missing'],
    [{ exp: now }, 'exp_passed'],
    [{ exp: undefined }, 'exp_missing'],
    [{ nbf: now + 11 }, 'nbf_future'],
    [{ iat: `${now}` }, 'time_not_integer'],
    [{ exp: 8_640_000_000_001 }, 'time_not_integer'],
  ]
  for (const [times, reason] of cases) assert.equal(await reasonOf(await aged(times)), reason)
  const token = await aged({ iat: now - 1 })
  const restored = { ...ctx, notBefore: now }
  const asked = { client_id, purposes: ['user'], proof: undefined } as const
  const late = await refused(readForeignSubject(restored, { token, type: JWT_TYPE }, asked))
  assert.equal(late.reason, 'iat_before_epoch')
})

test('[attack 131] a bound token needs the proof of its key, and no other confirmation is understood', async () => {
  const { jkt } = await generateKey()
  const bound = (cnf: unknown) => foreignToken(app, key, { cnf })
  assert.equal((await read(await bound({ jkt }), { jkt })).sub, 'user:corp:42')
  assert.equal((await read(await foreignToken(app, key), { jkt })).sub, 'user:corp:42', 'an unbound one needs none')
  const cases: readonly [unknown, Asked][] = [
    [{ jkt }, {}],
    [{ jkt }, { jkt: proofBy('other').jkt }],
    [{ jkt, 'x5t#S256': 'a' }, { jkt }],
    [{ 'x5t#S256': 'a' }, { jkt }],
    [{ jwk: {} }, { jkt }],
    [{}, { jkt }],
    [null, { jkt }],
    ['jkt', { jkt }],
    [[{ jkt }], { jkt }],
    [{ jkt: null }, {}],
  ]
  for (const [cnf, asked] of cases) assert.equal(await reasonOf(await bound(cnf), asked), 'subject_token_unproven')
})

test('the key is the one that kid names, or the only one of its algorithm; none of ours, none that was revoked', async () => {
  const [one, two] = [await generateKey(), await generateKey()]
  const jwks = { keys: [{ ...one.jwk, kid: 'one' }, two.jwk] }
  const several = await givenRecord('several', { jwks })
  assert.equal((await read(await several({}, { kid: 'one' }, one))).sub, 'user:several:42')
  assert.equal((await read(await several({}, { kid: two.jkt }, two))).sub, 'user:several:42')
  assert.equal(await reasonOf(await several({}, {}, one)), 'subject_token_key')
  assert.equal(await reasonOf(await several({}, { kid: 'three' }, one)), 'subject_token_key')
  assert.equal(await reasonOf(await several({}, { kid: 'one' }, two)), 'jws_signature')
  const revocation = { kind: 'key', id: one.jkt, reason: 'stolen' } as const
  await transaction(ctx, tx => createRevocation(tx, caller(), revocation))
  assert.equal(await reasonOf(await several({}, { kid: 'one' }, one)), 'subject_token_key')
})

test('a revoked key stays out when its entry has ended: taken out of every record that stores it (section 9)', async () => {
  const [stolen, good] = [await generateKey(), await generateKey()]
  const two = await givenRecord('two-keys', { jwks: { keys: [stolen.jwk, { ...good.jwk, kid: 'good' }] } })
  const one = await givenRecord('one-key', {}, stolen)
  assert.equal((await read(await two({}, { kid: stolen.jkt }, stolen))).sub, 'user:two-keys:42')
  const revocation = { kind: 'key', id: stolen.jkt, reason: 'stolen' } as const
  const { body, audit } = await transaction(ctx, tx => createRevocation(tx, caller(), revocation))
  assert.match(body.note ?? '', /out of the stored keys of these trusted issuers, for good: one-key, two-keys\.$/)
  assert.deepEqual(audit?.details?.issuers, ['one-key', 'two-keys'])
  clock.advance(961)
  assert.equal(await reasonOf(await two({}, { kid: stolen.jkt }, stolen)), 'subject_token_key')
  assert.equal(await reasonOf(await one({}, {}, stolen)), 'subject_token_key', 'without keys it refuses')
  assert.equal((await read(await two({}, { kid: 'good' }, good))).sub, 'user:two-keys:42')
  clock.advance(DAY)
  await purgeRevocations(ctx)
  assert.equal(await reasonOf(await two({}, { kid: stolen.jkt }, stolen)), 'subject_token_key')
})

test('a revoked key that an issuer publishes is refused for a day past its entry, and the answer says so', async () => {
  const stolen = await generateKey()
  const { url } = await givenServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: [stolen.jwk] }))
  })
  const published = await givenRecord('published', { jwks: undefined, jwks_uri: url }, stolen)
  assert.equal((await read(await published())).sub, 'user:published:42')
  const revocation = { kind: 'key', id: stolen.jkt, reason: 'stolen' } as const
  const { body } = await transaction(ctx, tx => createRevocation(tx, caller(), revocation))
  assert.match(body.note ?? '', /so must a trusted issuer, whose key is refused for a day more/)
  for (const seconds of [961, DAY - 2]) {
    clock.advance(seconds)
    await purgeRevocations(ctx)
    assert.equal(await reasonOf(await published()), 'subject_token_key')
  }
})

test('[attack 131] a token from before the revocation of its subject stays refused when the entry has ended', async () => {
  const long = await givenRecord('long', { max_age: DAY })
  const now = clock.seconds()
  const times = (iat: number) => ({ iat, exp: now + 2 * DAY })
  const [stolen, ahead, after] = [await long(times(now)), await long(times(now + 10)), await long(times(now + 11))]
  const entry = { kind: 'initiator', id: 'user:long:42', reason: 'stolen' } as const
  await transaction(ctx, tx => createRevocation(tx, caller(), entry))
  for (const seconds of [0, 961, DAY - 961]) {
    clock.advance(seconds)
    await purgeRevocations(ctx)
    for (const token of [stolen, ahead]) assert.equal(await reasonOf(token), 'subject_before_revocation')
  }
  assert.equal((await read(after)).sub, 'user:long:42', 'signed in again')
  assert.equal((await read(await long({ ...times(now), sub: '43' }))).sub, 'user:long:43')
})

test('a header that names a key itself is refused; the thumbprint of a certificate is not looked at', async () => {
  for (const name of ['x5t', 'x5t#S256']) {
    assert.equal((await read(await foreignToken(app, key, {}, { [name]: 'a' }))).sub, 'user:corp:42')
  }
  for (const name of ['jku', 'x5u', 'x5c', 'crit', 'b64']) {
    const token = await forged({ [name]: name === 'crit' ? ['exp'] : 'a' })
    assert.equal(await reasonOf(token), 'jws_header_refused')
  }
  assert.equal(await reasonOf(await foreignToken(app, key, {}, { jwk: key.jwk })), 'jws_embedded_jwk')
})

/** jose would not sign some of these headers. */
async function forged(header: object): Promise<string> {
  const [, payload] = (await foreignToken(app, key)).split('.')
  const encoded = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'JWT', ...header })).toString('base64url')
  const bytes = Buffer.from(`${encoded}.${payload}`)
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, bytes)
  return `${encoded}.${payload}.${Buffer.from(signature).toString('base64url')}`
}

test('keys behind a jwks_uri are fetched, kept and asked for again; where they cannot be had it is 503', async () => {
  const fresh = await generateKey()
  const served: { keys: readonly object[] | undefined } = { keys: [{ ...key.jwk, kid: 'a' }] }
  const { url, seen } = await givenServer((_request, response) => {
    response.writeHead(served.keys ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: served.keys }))
  })
  const remote = await givenRecord('remote', { jwks: undefined, jwks_uri: url })
  for (let turn = 0; turn < 3; turn += 1) await read(await remote({}, { kid: 'a' }))
  assert.deepEqual(seen.requests, ['GET /'])
  served.keys = [{ ...fresh.jwk, kid: 'b' }]
  clock.advance(31)
  assert.equal((await read(await remote({}, { kid: 'b' }, fresh))).sub, 'user:remote:42')
  assert.equal(await reasonOf(await remote({}, { kid: 'a' })), 'subject_token_key', 'replaced whole')
  served.keys = undefined
  clock.advance(3_601)
  await assert.rejects(read(await remote({}, { kid: 'b' }, fresh)), (error: unknown) => {
    assert.ok(error instanceof OAuthError)
    const { code, reason, details } = error
    assert.deepEqual([code, reason, details.status], ['temporarily_unavailable', 'issuer_keys_unavailable', 503])
    assert.equal(details.retry_after, 30)
    return true
  })
})

test('a key of this server signs for no other issuer, though that one publishes it', async () => {
  const { key: privateKey, kid, alg } = await ctx.keys.signer('ES256')
  const published = await (await fetch(`${app.issuer}/.well-known/jwks.json`)).text()
  const { url } = await givenServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(published)
  })
  const ours = await givenRecord('ours', { jwks: undefined, jwks_uri: url })
  assert.equal(
    await reasonOf(await ours({}, { kid }, { ...key, alg, privateKey: asWebKey(privateKey) })),
    'subject_token_key',
  )
})

test('the subject is 1 to 255 visible ASCII characters, and part of no other name', async () => {
  for (const sub of ['a', 'repo:acme/agents:ref:refs/heads/main', 'x'.repeat(255)]) {
    assert.equal((await read(await foreignToken(app, key, { sub }))).sub, `user:corp:${sub}`)
  }
  for (const sub of ['', 'x'.repeat(256), 'a b', 'a\n', 'ä', 42, null, undefined, ['42']]) {
    assert.equal(await reasonOf(await foreignToken(app, key, { sub })), 'subject_name')
  }
})

test('access joins what everybody of the record has with what the claims add, and is empty where nothing fits', async () => {
  const access_by_claim = [
    { claim: 'groups', value: 'writers', access: [{ resource: API, scope: 'write' }] },
    { claim: 'level', value: 2, access: [{ resource: API, scope: 'read write' }] },
  ]
  const mapped = await givenRecord('mapped', { access_by_claim })
  const based = await givenRecord('based', { access: [{ resource: API, scope: 'read' }], access_by_claim })
  const accessOf = async (token: Promise<string>) => (await read(await token)).access
  const both = [{ resource: API, scope: 'read write' }]
  assert.deepEqual(await accessOf(mapped()), [])
  assert.deepEqual(await accessOf(mapped({ groups: 'writers' })), [{ resource: API, scope: 'write' }])
  assert.deepEqual(await accessOf(mapped({ groups: ['x', 'writers'], level: 2 })), both)
  assert.deepEqual(await accessOf(mapped({ groups: [['writers']], level: '2' })), [])
  assert.deepEqual(await accessOf(based()), [{ resource: API, scope: 'read' }])
  assert.deepEqual(await accessOf(based({ groups: ['writers'] })), both)
})

test('[attack 28] a record that was deleted, or no longer names the client, is none from then on', async () => {
  const gone = await givenRecord('gone')
  const narrowed = await givenRecord('narrowed')
  const { client_id: other } = await givenClient(app)
  await read(await gone())
  await transaction(ctx, tx => deleteTrustedIssuer(tx, 'gone', 'left'))
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), 'narrowed', { clients: [other] }))
  assert.equal(await reasonOf(await gone()), 'subject_token_claims')
  assert.equal(await reasonOf(await narrowed()), 'subject_token_claims')
  assert.equal((await read(await narrowed(), { client_id: other })).sub, 'user:narrowed:42')
})

test('of more than 64 records of one issuer for one client it is not judged which one is meant', async () => {
  const many = { issuer: 'https://many.example.com', audience: 'many' }
  const token = await foreignToken(app, key, { iss: many.issuer, aud: 'many', n: 0 })
  for (let n = 0; n < 64; n += 1)
    await givenTrustedIssuer(app, key, { ...many, name: `many-${n}`, claims: { n }, clients })
  assert.equal((await read(token)).sub, 'user:many-0:42')
  await givenTrustedIssuer(app, key, { ...many, name: 'many-64', claims: { n: 64 }, clients })
  assert.equal(await reasonOf(token), 'subject_token_ambiguous')
})

test('a token of 16 KB is read and a longer one refused before anything else', async () => {
  const long = await foreignToken(app, key, { pad: 'x'.repeat(11_000) })
  assert.equal((await read(long)).sub, 'user:corp:42')
  const longer = await signJws(key, { typ: 'JWT' }, { iss: FOREIGN, pad: 'x'.repeat(17_000) })
  assert.equal(await reasonOf(longer), 'malformed_jws')
})
