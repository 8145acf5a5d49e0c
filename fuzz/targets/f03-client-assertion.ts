import assert from 'node:assert/strict'
import { verifyClientAssertion } from '../../src/protocol/client-assertion.ts'
import type { JsonValue } from '../../src/protocol/json.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { withKeyObject } from '../../src/protocol/proof-keys.ts'
import { agree, outcomeOf } from '../outcome.ts'
import { JKTS, KEYS, signed, signedInput, signIt } from '../signed.ts'
import { target } from '../target.ts'

const NOW = 1_800_000_000
const ISSUER = 'https://as.example'
const CLIENT = {
  client_id: 'app',
  keys: [
    { ...withKeyObject(await importPublicJwk(KEYS.ES256.jwk)), kid: 'one' },
    { ...withKeyObject(await importPublicJwk(KEYS.Ed25519.jwk)), kid: 'two' },
  ],
}

const times = [NOW, NOW - 1, NOW + 10, NOW + 11, NOW + 300, NOW + 301, `${NOW}`, NOW + 0.5, -1, null]
const header = {
  typ: ['JWT', 'client-authentication+jwt', 'application/jwt', 'dpop+jwt', '', 1],
  alg: ['ES256', 'Ed25519', 'EdDSA', 'none', 'HS256', 'PS256'],
  kid: ['one', 'two', JKTS.ES256, JKTS.Ed25519, 'three', '', 1],
  jwk: [{ kty: 'oct', k: 'AA' }],
  x5t: ['AA'],
}
const payload = {
  iss: ['app', 'other', '', 1, ['app']],
  sub: ['app', 'other', 'app ', null],
  aud: [ISSUER, [ISSUER], [ISSUER, ISSUER], [], `${ISSUER}/`, `${ISSUER}/oauth/token`, null],
  jti: ['x', '', 'a'.repeat(257), 1],
  exp: times,
  iat: times,
  nbf: times,
}

type Members = Readonly<Record<string, JsonValue>>

/** RFC 7523 section 3 with the audience of RFC 10070, and the windows of protocol.md section 3. */
function isGood(by: 'ES256' | 'Ed25519' | 'other', header: Members, payload: Members): boolean {
  const { alg, typ = 'JWT', kid } = header
  const { iss, sub, aud, jti, exp, iat, nbf = NOW } = payload
  const names = by === 'ES256' ? ['one', JKTS.ES256] : by === 'Ed25519' ? ['two', JKTS.Ed25519] : []
  const algs: readonly JsonValue[] = by === 'Ed25519' ? ['Ed25519', 'EdDSA'] : ['ES256']
  return [
    by !== 'other',
    algs.includes(alg ?? ''),
    typeof typ === 'string' && /^(application\/)?(jwt|client-authentication\+jwt)$/i.test(typ),
    !('kid' in header) || names.some(name => name === kid),
    !('jwk' in header) && !('x5t' in header),
    iss === 'app' && sub === 'app',
    JSON.stringify(aud) === JSON.stringify(ISSUER) || JSON.stringify(aud) === JSON.stringify([ISSUER]),
    typeof jti === 'string' && /^[ -~]{1,256}$/.test(jti),
    isSecond(exp) && exp > NOW,
    !('iat' in payload) || (isSecond(iat) && iat <= NOW + 10),
    isSecond(nbf) && nbf <= NOW + 10,
    isSecond(exp) && exp - (isSecond(iat) ? iat : NOW) <= 300,
  ].every(Boolean)
}

function isSecond(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}

export const clientAssertion = target({
  name: 'f03',
  rule: 'a client is known by an assertion exactly when every rule holds of it (RFC 7523 section 3)',
  input: signedInput,
  arbitrary: signed(header, payload),
  shortRuns: 300,
  async holds(input) {
    const good = { typ: 'JWT', kid: input.by === 'Ed25519' ? 'two' : 'one' }
    const claims = { iss: 'app', sub: 'app', aud: ISSUER, jti: 'one', exp: NOW + 60, iat: NOW }
    const shown = signIt(input, { header: good, payload: claims })
    const lookup = async (client_id: string) => (client_id === 'app' ? CLIENT : undefined)
    const answer = await outcomeOf(
      () => verifyClientAssertion(shown.token, { issuer: ISSUER, now: NOW, lookup }),
      'invalid_client',
    )
    agree('value' in answer, shown.isWhole && isGood(input.by, shown.header, shown.payload), shown)
    if (!('value' in answer)) return assert.equal(answer.refused.message, 'Client authentication failed.')
    const { client_id, jti, jkt } = answer.value
    assert.deepEqual([client_id, jti], ['app', shown.payload.jti])
    assert.equal(jkt, input.by === 'Ed25519' ? JKTS.Ed25519 : JKTS.ES256)
    assert.equal(answer.value.expires_at, Number(shown.payload.exp) + 10)
  },
})
