import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { type StatementSigner, verifyKeyStatement } from '../../src/protocol/key-statement.ts'
import { signKeyStatement } from '../../src/protocol/sign.ts'
import { generateKey } from '../support/dpop.ts'
import { base64url, forge, type TestKey, testKey } from './forge.ts'

const now = 1_800_000_000
const issuer = 'https://as.example'
const sub = 'agent:app:planner'
const agentKey = testKey('ES256')
const clientKey = testKey('EdDSA')
const stranger = testKey('ES256')
const agentJkt = (await importPublicJwk(agentKey.jwk)).jkt
const clientJkt = (await importPublicJwk(clientKey.jwk)).jkt
const jkt = (await importPublicJwk(stranger.jwk)).jkt

const known: Readonly<Record<string, readonly StatementSigner[]>> = {
  [sub]: [{ ...(await importPublicJwk(agentKey.jwk)), by: 'agent' }],
  app: [{ ...(await importPublicJwk(clientKey.jwk)), kid: 'k1', by: 'client' }],
}
const rules = { issuer, sub, now, notBefore: 0, maxLifetime: 300, signers: async (iss: string) => known[iss] ?? [] }
const claims = { iss: sub, sub, aud: issuer, jkt, iat: now, exp: now + 300, jti: 'one' }

function statement(extra: object = {}, header: object = {}, by: TestKey = agentKey): string {
  return forge({ alg: by.alg, typ: 'agent-key+jwt', kid: agentJkt, ...header }, { ...claims, ...extra }, by)
}

async function refused(text: string, reason: string, over: Partial<typeof rules> = {}): Promise<void> {
  await assert.rejects(verifyKeyStatement(text, { ...rules, ...over }), error => {
    assert.ok(error instanceof OAuthError)
    const { code, message, details } = error
    assert.deepEqual(
      { code, message, ajwt_error: details.ajwt_error, reason: error.reason },
      {
        code: 'invalid_dpop_proof',
        message: 'The key statement is not a current one, for this key, by a key that may vouch for this agent.',
        ajwt_error: 'agent_key_mismatch',
        reason,
      },
    )
    return true
  })
}

test('a good statement names the key and who vouches for it (protocol.md section 4)', async () => {
  const expected = { jkt, jti: 'one', exp: now + 300, signer: { by: 'agent', jkt: agentJkt } }
  assert.deepEqual(await verifyKeyStatement(statement(), rules), expected)
  assert.deepEqual(await verifyKeyStatement(statement({ aud: [issuer] }), rules), expected)
  const byClient = { ...expected, signer: { by: 'client', jkt: clientJkt } }
  for (const kid of ['k1', clientJkt]) {
    assert.deepEqual(await verifyKeyStatement(statement({ iss: 'app' }, { kid }, clientKey), rules), byClient)
  }
})

test('what our own signer makes is taken', async () => {
  const { alg, privateKey, jwk } = await generateKey()
  const key = await importPublicJwk(jwk)
  const text = await signKeyStatement({ alg, privateKey, publicJwk: key.jwk }, claims)
  const signers = async (): Promise<readonly StatementSigner[]> => [{ ...key, by: 'agent' }]
  const { signer } = await verifyKeyStatement(text, { ...rules, signers })
  assert.deepEqual(signer, { by: 'agent', jkt: key.jkt })
})

test('[attack 12] only typ agent-key+jwt is a statement (RFC 8725 section 3.11)', async () => {
  await assert.doesNotReject(verifyKeyStatement(statement({}, { typ: 'application/AGENT-KEY+jwt' }), rules))
  for (const typ of ['JWT', 'at+jwt', 'dpop+jwt', 'client-authentication+jwt', 'delegation+jwt', undefined]) {
    await refused(statement({}, { typ }), 'jws_typ')
  }
})

test('[attack 3, 4] the key is that of our record by kid, its algorithm ours (RFC 8725 section 3.1)', async () => {
  await refused(statement({}, { kid: undefined }), 'statement_kid')
  for (const kid of ['', 1, ['k1'], 'k'.repeat(129)]) await refused(statement({}, { kid }), 'jws_kid')
  for (const kid of ['k1', '../k1']) await refused(statement({}, { kid }), 'statement_signer')
  await refused(statement({}, { kid: jkt }, stranger), 'statement_signer')
  await refused(statement({ iss: 'app' }), 'statement_signer')
  await refused(statement({ iss: 'agent:app:worker' }), 'statement_signer')
  await refused(statement({ iss: 'app' }, { kid: 'k1', alg: 'ES256' }), 'jws_alg')
  for (const alg of ['none', 'HS256', 'ES384', '']) await refused(statement({}, { alg }), 'jws_alg')
  await refused(statement({}, {}, stranger), 'jws_signature')
  await refused(statement({}, { jwk: stranger.jwk }, stranger), 'jws_embedded_jwk')
})

test('[attack 4] a kid that two keys answer to names none (RFC 8725 section 3.10)', async () => {
  const own: StatementSigner = { ...(await importPublicJwk(agentKey.jwk)), by: 'client' }
  const imposter: StatementSigner = { ...(await importPublicJwk(stranger.jwk)), kid: own.jkt, by: 'client' }
  for (const keys of [
    [own, imposter],
    [imposter, own],
  ]) {
    await refused(statement(), 'statement_signer', { signers: async () => keys })
    await refused(statement({}, {}, stranger), 'statement_signer', { signers: async () => keys })
  }
})

test('a statement is for this agent, this issuer alone, one key, and has a jti (protocol.md section 4)', async () => {
  for (const other of ['agent:app:worker', 'agent:other:planner', 'app', undefined, [sub]]) {
    await refused(statement({ sub: other }), 'statement_subject')
  }
  for (const aud of [`${issuer}/`, [issuer, 'x'], [issuer, issuer], undefined]) {
    await refused(statement({ aud }), 'statement_audience')
  }
  for (const other of ['short', `${jkt}=`, undefined, 1]) await refused(statement({ jkt: other }), 'statement_jkt')
  for (const jti of ['', 'a'.repeat(257), 1, undefined]) await refused(statement({ jti }), 'statement_jti')
})

test('[attack 15] times are whole seconds, exp and iat are due, and the lifetime has an end (section 3)', async () => {
  await assert.doesNotReject(verifyKeyStatement(statement({ iat: now + 10, exp: now + 310 }), rules))
  await refused(statement({ iat: now + 11, exp: now + 300 }), 'iat_future')
  await refused(statement({ exp: now }), 'exp_passed')
  await refused(statement({ exp: now + 301 }), 'lifetime_too_long')
  await refused(statement({ iat: undefined }), 'statement_iat')
  await refused(statement({ exp: undefined }), 'exp_missing')
  for (const exp of [`${now + 10}`, now + 0.5, -1]) await refused(statement({ exp }), 'time_not_integer')
})

test('a statement signed before the epoch of a restore is refused', async () => {
  await assert.doesNotReject(verifyKeyStatement(statement(), { ...rules, notBefore: now }))
  await refused(statement(), 'iat_before_epoch', { notBefore: now + 1 })
})

test('[attack 9, 11, 13] one statement has one spelling (RFC 7515 section 2)', async () => {
  const good = statement()
  for (const text of [`${good}=`, ` ${good}`, `${good}\n`, good.replace('.', '..'), JSON.stringify({ jws: good })]) {
    await refused(text, 'malformed_jws')
  }
  const twice = `{"iss":"${sub}","iss":"${sub}","sub":"${sub}","aud":"${issuer}","jkt":"${jkt}","iat":${now},"exp":${now + 60},"jti":"x"}`
  await refused(forge({ alg: 'ES256', typ: 'agent-key+jwt', kid: agentJkt }, twice, agentKey), 'malformed_jws')
  await refused(forge({ alg: 'ES256', typ: 'agent-key+jwt', kid: agentJkt }, '[1]', agentKey), 'malformed_jws')
  const [, payload, signature] = good.split('.')
  await refused(`${base64url('{"alg":"ES256","alg":"ES256"}')}.${payload}.${signature}`, 'malformed_jws')
  for (const header of [{ crit: ['x'] }, { jku: 'https://evil.example' }, { x5c: [] }]) {
    await refused(statement({}, header), 'jws_header_refused')
  }
})
