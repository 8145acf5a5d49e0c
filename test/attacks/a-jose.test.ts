import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { base64url, forge, type TestKey, testKey } from '../protocol/forge.ts'
import {
  type Attempt,
  agentGrant,
  clientCredentials,
  proofOf,
  send,
  signed,
  tokenRequest,
  type Unsigned,
} from './attempt.ts'
import { givenClient, givenWorld } from './given.ts'
import {
  derSignature,
  type Forging,
  header,
  hmacWithPublicKey,
  jsonText,
  payload,
  publicDer,
  publicPem,
  respelt,
  signature,
} from './hostile-jws.ts'
import { refused } from './refused.ts'

const world = await givenWorld()
/** Assertions that nobody can read are held back together after 20 (attack 29): another server before that. */
const others = [await givenWorld(), await givenWorld(), await givenWorld()]
const rsa = testKey('RS256')
const attacker = testKey('ES256')

type Entrance = 'assertion' | 'proof'
type Attack = {
  readonly row: number
  readonly name: string
  readonly forge: Forging
  /** The true cause; where the entrances name it differently, both. */
  readonly reason: string | Record<Entrance, string>
}

/** How a client assertion and a DPoP proof are refused. */
const REFUSAL = {
  assertion: { status: 401, error: 'invalid_client', audited: false },
  proof: { status: 400, error: 'invalid_dpop_proof', audited: false },
} as const

const unknownAlg = { assertion: 'client_key_unknown', proof: 'dpop_alg' }

/** Refused wherever the token endpoint takes a JWT of the caller's. */
const ANYWHERE: readonly Attack[] = [
  ...['none', 'None', 'NONE', ''].map(alg => ({
    row: 1,
    name: `alg ${JSON.stringify(alg)}, signed`,
    forge: header({ alg }),
    reason: unknownAlg,
  })),
  {
    row: 1,
    name: 'alg none, unsigned',
    forge: good => header({ alg: 'none' })(good).replace(/[^.]+$/, ''),
    reason: 'malformed_jws',
  },
  { row: 1, name: 'alg missing', forge: header({ alg: undefined }), reason: 'jws_header_refused' },
  { row: 1, name: 'alg an array', forge: header({ alg: ['ES256'] }), reason: 'jws_header_refused' },
  { row: 2, name: 'HMAC with our PEM', forge: hmacWithPublicKey(publicPem), reason: unknownAlg },
  {
    row: 2,
    name: 'HMAC with our PEM and space',
    forge: hmacWithPublicKey(key => ` ${publicPem(key)}`),
    reason: unknownAlg,
  },
  { row: 2, name: 'HMAC with our DER', forge: hmacWithPublicKey(publicDer), reason: unknownAlg },
  { row: 2, name: 'HMAC with our JWK', forge: hmacWithPublicKey(key => JSON.stringify(key.jwk)), reason: unknownAlg },
  { row: 3, name: 'ES384 on a P-256 key', forge: header({ alg: 'ES384' }), reason: unknownAlg },
  { row: 3, name: 'PS256 on a P-256 key', forge: header({ alg: 'PS256' }), reason: unknownAlg },
  { row: 4, name: 'kid an array', forge: header({ kid: ['a'] }), reason: 'jws_kid' },
  { row: 4, name: 'kid with NUL', forge: header({ kid: 'a\0' }), reason: 'malformed_jws' },
  { row: 4, name: 'kid of 10 KB', forge: header({ kid: 'k'.repeat(10_000) }), reason: 'jws_kid' },
  {
    row: 4,
    name: 'kid twice',
    forge: jsonText('header', json => json.replace('{', '{"kid":"a","kid":"b",')),
    reason: 'malformed_jws',
  },
  { row: 7, name: 'crit unknown', forge: header({ crit: ['x'], x: 1 }), reason: 'jws_header_refused' },
  { row: 7, name: 'crit empty', forge: header({ crit: [] }), reason: 'jws_header_refused' },
  { row: 7, name: 'crit b64', forge: header({ crit: ['b64'], b64: true }), reason: 'jws_header_refused' },
  { row: 7, name: 'b64 false', forge: header({ b64: false }), reason: 'jws_header_refused' },
  { row: 7, name: 'crit alg', forge: header({ crit: ['alg'] }), reason: 'jws_header_refused' },
  { row: 8, name: '64 zero bytes', forge: signature(() => Buffer.alloc(64)), reason: 'jws_signature' },
  { row: 8, name: 'r = n', forge: signature(() => orderOfP256()), reason: 'jws_signature' },
  { row: 8, name: 'DER', forge: signature(derSignature), reason: 'jws_signature' },
  { row: 8, name: '63 bytes', forge: signature(() => Buffer.alloc(63, 1)), reason: 'jws_signature' },
  { row: 9, name: 'space inside', forge: respelt(jws => jws.replace('.', '. ')), reason: 'malformed_jws' },
  { row: 9, name: 'padding', forge: respelt(jws => `${jws}=`), reason: 'malformed_jws' },
  {
    row: 9,
    name: 'base64 alphabet',
    forge: signature(() => `${'-_'.repeat(43)}`.replaceAll('-', '+').replaceAll('_', '/')),
    reason: 'malformed_jws',
  },
  { row: 9, name: 'last character not canonical', forge: respelt(nextCharacter), reason: 'malformed_jws' },
  { row: 10, name: 'five parts', forge: respelt(jws => `${jws}.e30.e30`), reason: 'malformed_jws' },
  {
    row: 10,
    name: 'JWE with p2c',
    forge: () => `${base64url('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647}')}.a.a.a.a`,
    reason: 'malformed_jws',
  },
  {
    row: 10,
    name: 'nested',
    forge: good => forge(good.header, JSON.stringify(signed(good)), good.key),
    reason: 'malformed_jws',
  },
  { row: 11, name: 'flattened JSON form', forge: respelt(flattened), reason: 'malformed_jws' },
  {
    row: 13,
    name: 'a claim twice',
    forge: jsonText('payload', json => json.replace('{', '{"jti":"other",')),
    reason: 'malformed_jws',
  },
  {
    row: 13,
    name: 'alg twice',
    forge: jsonText('header', json => json.replace('{', '{"alg":"none",')),
    reason: 'malformed_jws',
  },
  ...['[1]', '"text"', '1', 'null'].map(json => ({
    row: 14,
    name: `payload ${json}`,
    forge: jsonText('payload', () => json),
    reason: 'malformed_jws',
  })),
  ...['jku', 'x5u', 'x5c', 'x5t'].map(name => ({
    row: 5,
    name,
    forge: header({ [name]: 'https://attacker.example.com/keys' }),
    reason: 'jws_header_refused',
  })),
]

const ASSERTION: readonly Attack[] = [
  { row: 4, name: 'kid with a path', forge: header({ kid: '../../etc/passwd' }), reason: 'client_key_unknown' },
  { row: 4, name: 'kid with SQL', forge: header({ kid: "' or 1=1 --" }), reason: 'client_key_unknown' },
  { row: 6, name: 'embedded jwk', forge: good => embedded(good), reason: 'jws_embedded_jwk' },
  ...['dpop+jwt', 'at+jwt', 'oauth-authz-req+jwt', 'logout+jwt', 'delegation+jwt', 'agent-key+jwt'].map(typ => ({
    row: 12,
    name: `typ ${typ}`,
    forge: header({ typ }),
    reason: 'jws_typ',
  })),
  { row: 15, name: 'exp absent', forge: payload({ exp: undefined }), reason: 'exp_missing' },
  { row: 15, name: 'exp text', forge: payload({ exp: '1e9' }), reason: 'time_not_integer' },
  {
    row: 15,
    name: 'exp a fraction',
    forge: good => payload({ exp: Number(good.payload.exp) + 0.5 })(good),
    reason: 'time_not_integer',
  },
  { row: 15, name: 'exp negative', forge: payload({ exp: -1 }), reason: 'time_not_integer' },
  {
    row: 15,
    name: 'exp 1e20',
    forge: jsonText('payload', json => json.replace(/"exp":\d+/, '"exp":1e20')),
    reason: 'time_not_integer',
  },
  {
    row: 15,
    name: 'exp 1e999',
    forge: jsonText('payload', json => json.replace(/"exp":\d+/, '"exp":1e999')),
    reason: 'malformed_jws',
  },
  { row: 15, name: 'iat text', forge: payload({ iat: 'now' }), reason: 'time_not_integer' },
  { row: 15, name: 'nbf text', forge: payload({ nbf: 'now' }), reason: 'time_not_integer' },
  {
    row: 15,
    name: 'more than 300 s',
    forge: good => payload({ exp: Number(good.payload.iat) + 301 })(good),
    reason: 'lifetime_too_long',
  },
  {
    row: 16,
    name: 'iss an array',
    forge: good => payload({ iss: [good.payload.iss] })(good),
    reason: 'assertion_subject',
  },
  { row: 16, name: 'iss an object', forge: payload({ iss: {} }), reason: 'assertion_subject' },
  {
    row: 16,
    name: 'iss in capitals',
    forge: good => payload({ iss: String(good.payload.iss).toUpperCase() })(good),
    reason: 'assertion_subject',
  },
  {
    row: 16,
    name: 'iss with a slash',
    forge: good => payload({ iss: `${good.payload.iss}/` })(good),
    reason: 'assertion_subject',
  },
  {
    row: 16,
    name: 'iss with a homoglyph',
    forge: good => payload({ iss: String(good.payload.iss).replace('a', '\u0430') })(good),
    reason: 'assertion_subject',
  },
]

const PROOF: readonly Attack[] = [
  ...['JWT', 'at+jwt', undefined].map(typ => ({
    row: 12,
    name: `typ ${typ}`,
    forge: header({ typ }),
    reason: 'jws_typ',
  })),
  ...weakKeys().map(([name, jwk, reason]) => ({ row: 19, name, forge: header({ jwk }), reason })),
]

let sent = 0
for (const [entrance, attacks] of [
  ['assertion', [...ANYWHERE, ...ASSERTION]],
  ['proof', [...ANYWHERE, ...PROOF]],
] as const) {
  for (const [row, cases] of Map.groupBy(attacks, attack => attack.row)) {
    test(`[attack ${row}] a hostile ${entrance} opens nothing at the token endpoint (${cases.length} forms)`, async () => {
      for (const attack of cases) {
        const room = others[Math.floor(sent / 18) % others.length] ?? world
        sent += 1
        // A client of its own: failed authentications are held back per client.
        const client = await givenClient(room.ctx)
        const attempt = clientCredentials(room, client)
        replace(attempt, entrance, attack.forge)
        const reason = typeof attack.reason === 'string' ? attack.reason : attack.reason[entrance]
        await refused(room, attempt, { ...REFUSAL[entrance], reason }, clientCredentials(room, client)).catch(error => {
          throw new Error(`${attack.name}: ${error.message}`, { cause: error })
        })
      }
    })
  }
}

test('[attack 12] typ is read in any letter case and with application/ (RFC 7515 section 4.1.9)', async () => {
  for (const typ of [undefined, 'jwt', 'JWT', 'application/client-authentication+jwt', 'Client-Authentication+JWT']) {
    const attempt = clientCredentials(world)
    replace(attempt, 'assertion', header({ typ }))
    replace(attempt, 'proof', header({ typ: 'application/DPoP+JWT' }))
    assert.equal((await send(world, attempt)).status, 200, String(typ))
  }
})

test('[attack 3] a key registered for PS256 takes no RS256, and DPoP takes no RS256 at all (RFC 8725 section 3.1)', async () => {
  const jwks = { keys: [{ ...rsa.jwk, alg: 'PS256' }] }
  const client = await givenClient(world.ctx, undefined, { jwks })
  const good = () => {
    const attempt = clientCredentials(world, { ...client, key: { ...rsa, alg: 'PS256' } })
    return attempt
  }
  const asRs256 = clientCredentials(world, { ...client, key: rsa })
  await refused(world, asRs256, { ...REFUSAL.assertion, reason: 'client_key_unknown' }, good())
  const proof = { ...good(), proof: proofOf(world, rsa, '/oauth/token') }
  await refused(world, proof, { ...REFUSAL.proof, reason: 'dpop_alg' }, good())
})

test('[attack 4] the kid of another client finds no key (RFC 8725 section 3.10)', async () => {
  const other = testKey('ES256')
  await givenClient(world.ctx, undefined, { jwks: { keys: [{ ...other.jwk, kid: 'other' }] } })
  const client = await givenClient(world.ctx)
  const attempt = clientCredentials(world, { ...client, key: other })
  replace(attempt, 'assertion', header({ kid: 'other' }))
  const reason = 'client_key_unknown'
  await refused(world, attempt, { ...REFUSAL.assertion, reason }, clientCredentials(world, client))
})

test('[attack 5] no key is fetched from where a token says (RFC 8725 section 3.10)', async () => {
  let connections = 0
  const listener = createServer(socket => {
    connections += 1
    socket.destroy()
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  listener.listen(0, '127.0.0.1', resolve)
  await promise
  const address = listener.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/keys`
  for (const entrance of ['assertion', 'proof'] as const) {
    const client = await givenClient(world.ctx)
    const attempt = clientCredentials(world, client)
    replace(attempt, entrance, header({ jku: url, x5u: url }))
    const expected = { ...REFUSAL[entrance], reason: 'jws_header_refused' }
    await refused(world, attempt, expected, clientCredentials(world, client))
  }
  listener.close()
  assert.equal(connections, 0)
})

test('[attack 9] [attack 114] a revoked token stays dead in every spelling (RFC 7515 section 2)', async () => {
  const { client } = world
  const { access_token } = (await send(world, clientCredentials(world))).body
  const token = String(access_token)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, token))).status, 200)
  for (const spelling of [token, `${token}=`, `${token} `, nextCharacter(token), token.replace('.', '.\n')]) {
    const answer = await send(world, tokenRequest(world, '/oauth/introspect', client, spelling))
    assert.deepEqual([answer.status, answer.body], [200, { active: false }])
  }
})

test('[attack 1] [attack 9] [attack 12] a bearer token in another form stands for nobody (section 6)', async () => {
  const { client } = world
  const forIssuer = clientCredentials(world)
  forIssuer.params = { ...forIssuer.params, scope: 'generate:intent-token', resource: world.app.issuer }
  const good = String((await send(world, { ...forIssuer, proof: undefined })).body.access_token)
  const [head = '', claims = '', mac = ''] = good.split('.')
  const decoded = JSON.parse(Buffer.from(head, 'base64url').toString())
  const none = base64url(JSON.stringify({ ...decoded, alg: 'none' }))
  const forged = forge(decoded, JSON.parse(Buffer.from(claims, 'base64url').toString()), attacker)
  const assertion = clientCredentials(world).assertion
  const tokens = [
    `${none}.${claims}.${mac}`,
    `${good}=`,
    nextCharacter(good),
    forged,
    assertion ? signed(assertion) : '',
  ]
  for (const token of tokens) {
    const attempt = agentGrant(world, '/intent/token', world.solo)
    const bad = { ...attempt, assertion: undefined, headers: { Authorization: `Bearer ${token}` } }
    const answer = await send(world, bad)
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_token'], token)
    assert.match(String(answer.headers['www-authenticate']), /^Bearer realm="remit", error="invalid_token"/)
  }
  const spelt = agentGrant(world, '/intent/token', world.solo)
  const ok = await send(world, { ...spelt, assertion: undefined, headers: { Authorization: `Bearer ${good}` } })
  assert.equal(ok.status, 200, ok.text)
  assert.equal(client.client_id, 'patcher')
})

test('[attack 19] our own signing key signs no proof, and an agent’s key binds no client token (section 3)', async () => {
  const ours = await world.ctx.keys.signer('ES256')
  const published = world.ctx.keys.published().find(key => key.kid === ours.kid)
  const { kty, crv, x, y } = published ?? {}
  const key: TestKey = { alg: 'ES256', privateKey: ours.key, jwk: { kty, crv, x, y } }
  const attempt = { ...clientCredentials(world), proof: proofOf(world, key, '/oauth/token') }
  const good = () => clientCredentials(world)
  await refused(world, attempt, { ...REFUSAL.proof, reason: 'server_key_in_proof' }, good())
  const withAgentKey = { ...clientCredentials(world), proof: proofOf(world, world.solo.key, '/oauth/token') }
  await refused(world, withAgentKey, { ...REFUSAL.proof, audited: true, reason: 'agent_key_for_client' }, good())
})

/** Puts a hostile JWS where the good one would have been signed. */
function replace(attempt: Attempt, entrance: Entrance, forging: Forging): void {
  const good = attempt[entrance]
  assert.ok(good)
  const jws = forging(good)
  if (entrance === 'proof') {
    attempt.headers = { ...attempt.headers, DPoP: jws }
  } else {
    attempt.params = { ...attempt.params, client_assertion: jws }
  }
}

function embedded(good: Unsigned): string {
  return signed({ ...good, key: attacker, header: { ...good.header, jwk: attacker.jwk } })
}

function flattened(jws: string): string {
  const [head, claims, mac] = jws.split('.')
  return JSON.stringify({ protected: head, payload: claims, signature: mac, header: { alg: 'none' } })
}

/** The next base64url character: the same bytes for a lenient decoder, because its low bits are not used. */
function nextCharacter(jws: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${jws.slice(0, -1)}${alphabet[alphabet.indexOf(jws.slice(-1)) + 1]}`
}

/** The order of P-256 as r, and 1 as s. */
function orderOfP256(): Buffer {
  const n = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
  return Buffer.from(`${n}${'1'.padStart(64, '0')}`, 'hex')
}

function weakKeys(): readonly (readonly [string, Record<string, unknown>, string])[] {
  const jwkOf = (pair: { publicKey: KeyObject }) => ({ ...pair.publicKey.export({ format: 'jwk' }) })
  const weak = 'weak_or_unknown_key'
  return [
    ['RSA of 1024 bits', jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 })), weak],
    ['RSA with e = 1', { ...rsa.jwk, e: 'AQ' }, weak],
    ['secp256k1', jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), weak],
    ['P-384', jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' })), weak],
    ['oct', { kty: 'oct', k: 'AAAA' }, 'private_key_sent'],
    ['a private key', { ...attacker.jwk, d: 'AAAA' }, 'private_key_sent'],
    ['a point off the curve', { ...attacker.jwk, y: attacker.jwk.x }, weak],
    ['Ed25519 of low order', { kty: 'OKP', crv: 'Ed25519', x: base64url(Buffer.alloc(32)) }, weak],
  ]
}
