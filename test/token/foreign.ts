import { decodeJwt } from 'jose'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import type { DpopProof } from '../../src/protocol/dpop.ts'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { trustedIssuerCreateSchema } from '../../src/protocol/trusted-issuer.ts'
import { transaction } from '../../src/server/context.ts'
import { createTrustedIssuer } from '../../src/server/registry/trusted-issuers.ts'
import { caller } from '../registry/given.ts'
import type { TestApp } from '../support/app.ts'
import { signAssertion, signJws, signProof, type TestKey } from '../support/dpop.ts'
import type { GivenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

export const FOREIGN = 'https://idp.example.com'
export const AUDIENCE = 'remit-app'
export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
export const ID_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:id_token'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** A record made by the registry itself, of purpose user unless told; `key` signs for the issuer. */
export async function givenTrustedIssuer(app: TestApp, key: TestKey, record: object): Promise<void> {
  const body = trustedIssuerCreateSchema.parse({
    issuer: FOREIGN,
    purpose: 'user',
    audience: AUDIENCE,
    jwks: { keys: [key.jwk] },
    algs: [key.alg],
    ...record,
  })
  await transaction(app.ctx, tx => createTrustedIssuer(tx, caller(), body))
}

type Members = Readonly<Record<string, unknown>>

/** An ID token as the foreign issuer would sign it; members of the overrides replace or, undefined, take away. */
export async function foreignToken(app: TestApp, key: TestKey, payload: Members = {}, header: Members = {}) {
  const iat = app.clock.seconds()
  const claims = { iss: FOREIGN, aud: AUDIENCE, sub: '42', iat, exp: iat + 120, ...payload }
  return await signJws(key, { typ: 'JWT', ...header }, claims)
}

/** A proof by a key, as far as a subject token is concerned. */
export function proofBy(jkt: string): DpopProof {
  return { jti: 'j', jkt, jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }, iat: 0, expires_at: 60 }
}

/** The clock of the test stands still; a provider of its own lives in real time. */
export function catchUp({ clock }: TestApp): void {
  clock.advance(Math.max(0, Math.floor(Date.now() / 1000) - clock.seconds()))
}

/** Token exchange at /oauth/token with the client's assertion, and a proof by this key unless it is left out. */
export async function exchange(
  app: TestApp,
  client: GivenClient,
  parameters: Readonly<Record<string, string>>,
  { proofKey }: { readonly proofKey?: TestKey | undefined } = { proofKey: client.dpopKey },
) {
  const { issuer, clock } = app
  // Audit rows of one instant have no order among themselves.
  clock.advance(1)
  const iat = clock.seconds()
  const htu = `${issuer}/oauth/token`
  const body = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token_type: JWT_TYPE,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(client.key, { client_id: client.client_id, issuer, iat }),
    ...parameters,
  })
  const headers: Record<string, string> = proofKey ? { dpop: await signProof(proofKey, { htu, iat }) } : {}
  const response = await fetch(htu, { method: 'POST', headers, body })
  const answer = await jsonOf(response)
  const access_token = typeof answer.access_token === 'string' ? answer.access_token : ''
  const claims = access_token === '' ? undefined : accessTokenClaimsSchema.parse(decodeJwt(access_token))
  return { status: response.status, body: answer, access_token, claims }
}
