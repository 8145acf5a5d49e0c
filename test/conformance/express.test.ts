import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import { decodeJwt } from 'jose'
import { generateKey } from '../support/dpop.ts'
import { get } from './http.ts'
import { listen } from './listen.ts'
import { callWithProof, mint, tokenOf } from './minting.ts'
import { startSetting } from './setting.ts'

const API = 'https://api.example.com/patches'
const APIS = { ES256: API, EdDSA: `${API}/eddsa`, PS256: `${API}/ps256`, RS256: `${API}/rs256` }
const ACCESS = Object.values(APIS).map(resource => ({ resource, scope: 'repo:read repo:write' }))

const setting = await startSetting()
const scopes = [{ name: 'repo:read' }, { name: 'repo:write' }]
for (const [signing_alg, resource] of Object.entries(APIS)) {
  await setting.createResource({ resource, scopes, signing_alg })
}
const own = { resource: setting.issuer, scope: 'generate:intent-token register:intent' }
const app = await setting.createKeyClient({ access: [own, ...ACCESS] })
const agent = await setting.registerAgent(app, {
  agent_id: 'patcher',
  grant: { access: ACCESS },
  key: await generateKey(),
})
const api = await listen(protectedApi(setting.issuer))

for (const [alg, resource] of Object.entries(APIS)) {
  test(`express-oauth2-jwt-bearer, strict, accepts an intent token signed with ${alg} with its proof (RFC 9068, RFC 9449 section 7)`, async () => {
    const token = tokenOf(await mint(setting, app, agent, { resource, scope: 'repo:write' }))
    const url = `${api}${new URL(resource).pathname}`

    const answer = await callWithProof(setting, url, token, agent)

    assert.deepEqual([answer.status, answer.body], [200, decodeJwt(token)])
  })
}

test('there an intent token as Bearer, without proof or with the proof of another key is refused (RFC 9449 section 7.1)', async () => {
  const token = tokenOf(await mint(setting, app, agent, { resource: API, scope: 'repo:write' }))
  const url = `${api}/patches`

  const answers = [
    await get(url),
    await get(url, { authorization: `Bearer ${token}` }),
    await get(url, { authorization: `DPoP ${token}` }),
    await callWithProof(setting, url, token, { ...agent, key: await generateKey() }),
  ]

  assert.deepEqual(
    answers.map(({ status }) => status >= 400 && status <= 401),
    [true, true, true, true],
  )
  for (const { headers } of answers.slice(1)) assert.match(headers.get('www-authenticate') ?? '', /DPoP/)
})

test('there the scope of an intent token opens what it names and nothing more (RFC 6750 section 3.1)', async () => {
  const token = tokenOf(await mint(setting, app, agent, { resource: API, scope: 'repo:read' }))
  const answer = await callWithProof(setting, `${api}/patches`, token, agent)
  assert.equal(answer.status, 403)
  assert.match(answer.headers.get('www-authenticate') ?? '', /insufficient_scope/)
})

/** A protected API as the library's own documentation writes it: discovery by issuer, strict RFC 9068, DPoP required. */
function protectedApi(issuerBaseURL: string): express.Express {
  const app = express()
  for (const audience of Object.values(APIS)) {
    const verify = auth({ issuerBaseURL, audience, strict: true, dpop: { enabled: true, required: true } })
    app.get(new URL(audience).pathname, verify, requiredScopes('repo:write'), (request, response) => {
      response.json(request.auth?.payload)
    })
  }
  app.use((error: unknown, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
    const { status, headers } = readRefusal(error)
    response.status(status).set(headers).end()
  })
  return app
}

function readRefusal(error: unknown): { status: number; headers: Record<string, string> } {
  if (!(error instanceof Error) || !('status' in error) || !('headers' in error)) return { status: 500, headers: {} }
  const { headers } = error
  const value = typeof headers === 'object' && headers !== null && 'WWW-Authenticate' in headers
  return {
    status: Number(error.status),
    headers: value ? { 'www-authenticate': String(headers['WWW-Authenticate']) } : {},
  }
}
