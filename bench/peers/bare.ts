import { randomUUID } from 'node:crypto'
import fastify from 'fastify'
import { createLocalJWKSet, EmbeddedJWK, importJWK, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { asPeer } from './as-peer.ts'

// A bare Fastify route: the two signature checks of a token request and the one signature of its answer, by jose, with keys
// that were imported once where they are known before. It remembers nothing: a proof is good as often as it is sent.
// Beside it an API's route with its own two checks, of token and proof.

const ES256 = { algorithms: ['ES256'] }
const jwkSchema = z.record(z.string(), z.string())
const setupSchema = z.object({ origin: z.string(), client_id: z.string(), jwk: jwkSchema, keys: z.array(jwkSchema) })

asPeer(async setup => {
  const { origin, client_id, jwk, keys } = setupSchema.parse(setup)
  const clientKey = await importJWK(jwk, 'ES256')
  const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  const issuerKeys = createLocalJWKSet({ keys })
  const app = fastify()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, new URLSearchParams(String(body))),
  )
  app.post('/token', async ({ body, headers }) => {
    const form = body instanceof URLSearchParams ? body : new URLSearchParams()
    await jwtVerify(form.get('client_assertion') ?? '', clientKey, { issuer: client_id, audience: origin, ...ES256 })
    await jwtVerify(String(headers.dpop), EmbeddedJWK, { typ: 'dpop+jwt', ...ES256 })
    const iat = Math.floor(Date.now() / 1000)
    const [aud, scope, jti] = [form.get('resource') ?? '', form.get('scope'), randomUUID()]
    const claims = { iss: origin, sub: client_id, client_id, aud, scope, iat, exp: iat + 300, jti }
    const header = { alg: 'ES256', typ: 'at+jwt', kid: 'bare' }
    const access_token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey)
    return { access_token, token_type: 'DPoP', expires_in: 300, scope }
  })
  app.get('/pages/7', async ({ headers }) => {
    const token = String(headers.authorization).slice('DPoP '.length)
    await jwtVerify(token, issuerKeys, { typ: 'at+jwt', ...ES256 })
    await jwtVerify(String(headers.dpop), EmbeddedJWK, { typ: 'dpop+jwt', ...ES256 })
    return { page: 7 }
  })
  await app.listen({ host: '127.0.0.1', port: Number(new URL(origin).port) })
})
