import assert from 'node:assert/strict'
import { z } from 'zod'
import { verifyDpopProof } from '../../src/protocol/dpop.ts'
import type { JsonValue } from '../../src/protocol/json.ts'
import { agree, outcomeOf } from '../outcome.ts'
import { JKTS, KEYS, signed, signedInput, signIt } from '../signed.ts'
import { target } from '../target.ts'

const NOW = 1_800_000_000
const HTU = 'https://as.example/oauth/token'
const ATH = 'A'.repeat(43)
/** Two spellings of one URL, and URLs that are others (RFC 9449 section 4.3). */
const SAME = ['HTTPS://AS.example:443/oauth/token', `${HTU}?a=1#b`]
const OTHERS = [`${HTU}/`, 'http://as.example/oauth/token', 'https://as.example/x/../oauth/token', '', [HTU], 1, null]

const header = {
  typ: ['dpop+jwt', 'application/DPoP+JWT', 'JWT', '', 1],
  alg: ['ES256', 'Ed25519', 'EdDSA', 'none', 'HS256', 'RS256', ''],
  kid: ['k', '', 1],
  crit: [['exp']],
  jku: ['https://evil.example'],
  jwk: [null, 'x', { kty: 'oct', k: 'AA' }],
}
const times = [NOW, NOW - 60, NOW - 61, NOW + 10, NOW + 11, `${NOW}`, NOW + 0.5, -1, null, 253_402_300_800]
const payload = {
  jti: ['x', '', ' ', 'a'.repeat(256), 'a'.repeat(257), 'a\n', '\u00e9', 1, null],
  htm: ['POST', 'post', 'GET', '', ['POST'], null],
  htu: [...SAME, ...OTHERS],
  iat: times,
  exp: [NOW + 1, ...times],
  nbf: times,
  ath: [ATH, `${ATH}=`, 'B'.repeat(43), '', 1, null],
  nonce: ['n', '', 'a b', 'a"', 'a'.repeat(256), 'a'.repeat(257), 1],
  bd: [ATH, 'A'.repeat(42), `${'A'.repeat(42)}B`, '', 1],
  scope: ['a b', 'a  b', '', ' ', 'a a', 1],
}

type Members = Readonly<Record<string, JsonValue>>

/** A proof that is good here, by RFC 9449 section 4.3 and protocol.md sections 3 and 8. */
function isGood(by: 'ES256' | 'Ed25519' | 'other', header: Members, payload: Members): boolean {
  const { alg, typ, jwk, kid = 'k' } = header
  const { jti, htm, htu, iat, exp = NOW + 1, nbf = NOW, ath, nonce = 'n', bd = ATH, scope = 'a' } = payload
  const algs: readonly JsonValue[] = by === 'Ed25519' ? ['Ed25519', 'EdDSA'] : ['ES256']
  return [
    algs.includes(alg ?? ''),
    ['dpop+jwt', 'application/dpop+jwt'].includes(String(typ).toLowerCase()),
    JSON.stringify(jwk) === JSON.stringify(KEYS[by].jwk),
    isText(kid, 1, 128) && !('crit' in header) && !('jku' in header),
    isText(jti, 1, 256),
    htm === 'POST',
    htu === HTU || SAME.some(same => same === htu),
    isSecond(iat) && iat >= NOW - 60 && iat <= NOW + 10,
    isSecond(exp) && exp > NOW,
    isSecond(nbf) && nbf <= NOW + 10,
    ath === ATH,
    isText(nonce, 1, 256) && !/[ "\\]/.test(nonce),
    typeof bd === 'string' && bd === ATH,
    typeof scope === 'string' && scope.split(' ').every((one, at, all) => one !== '' && all.indexOf(one) === at),
  ].every(Boolean)
}

function isText(value: JsonValue | undefined, least: number, most: number): value is string {
  if (typeof value !== 'string' || value.length < least || value.length > most) return false
  return [...value].every(char => char >= ' ' && char <= '~')
}

function isSecond(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 253_402_300_800
}

export const dpopProof = target({
  name: 'f02',
  rule: 'a DPoP proof is taken exactly when every rule holds of it (RFC 9449 section 4.3)',
  input: signedInput,
  arbitrary: signed(header, payload),
  shortRuns: 300,
  async holds(input) {
    const jwk = KEYS[input.by].jwk
    const good = {
      header: { typ: 'dpop+jwt', jwk },
      payload: { jti: 'one', htm: 'POST', htu: HTU, iat: NOW, ath: ATH },
    }
    const shown = signIt(input, good)
    const expected = { htm: 'POST', htu: HTU, now: NOW, ath: ATH }
    const answer = await outcomeOf(() => verifyDpopProof(shown.token, expected), 'invalid_dpop_proof')
    agree('value' in answer, shown.isWhole && isGood(input.by, shown.header, shown.payload), shown)
    if (!('value' in answer)) return
    const { jti, nonce, bd, scope, iat } = shown.payload
    assert.deepEqual(
      { jti, iat, nonce, bd, scope },
      z
        .object({ jti: z.any(), iat: z.any(), nonce: z.any(), bd: z.any(), scope: z.any() })
        .parse({ nonce: undefined, bd: undefined, scope: undefined, ...answer.value }),
    )
    if (input.by !== 'other') assert.equal(answer.value.jkt, JKTS[input.by])
  },
})
