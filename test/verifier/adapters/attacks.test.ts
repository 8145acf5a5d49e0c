import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import express from 'express'
import Fastify from 'fastify'
import { protect } from '../../../src/verifier/adapters/express.ts'
import { remitVerifier } from '../../../src/verifier/adapters/fastify.ts'
import { protectMcp } from '../../../src/verifier/adapters/mcp.ts'
import { protect as protectHttp } from '../../../src/verifier/adapters/node-http.ts'
import { generateKey } from '../../support/dpop.ts'
import { rawRequest } from '../../support/raw-http.ts'
import { boundHeaders, CLAIMS, given, issuedToken, listening } from './issued.ts'

/* Rows of attacks.md at the resource, over raw sockets: what no client library would send. */

type Options = ReturnType<typeof given>['options']

const ADAPTERS: Readonly<Record<string, (options: Options) => Promise<string>>> = {
  'node-http': options => listening(protectHttp(options)({}, (_, response) => void response.end('let pass'))),
  express: options => {
    const app = express().use(protect(options)({}))
    return listening(app.use((_, response) => void response.end('let pass')))
  },
  fastify: async options => {
    const app = Fastify()
    after(() => app.close())
    await app.register(remitVerifier, options)
    app.get('/v1/*', { config: { intent: {} } }, async () => 'let pass')
    return await app.listen({ port: 0, host: '127.0.0.1' })
  },
  mcp: options => {
    const guard = protectMcp({ ...options, otherwise: {}, rules: {} })
    return listening(guard((_, response) => void response.end('let pass')))
  },
}

type Attempt = { readonly target?: string; readonly lines: readonly string[] }
type Expected = { readonly status: number; readonly error: string; readonly reason: string }

for (const [name, start] of Object.entries(ADAPTERS)) {
  const { options, told } = given()
  const url = await start(options)

  async function send({ target = '/v1/orders', lines }: Attempt) {
    const hosts = lines.some(line => /^host:/i.test(line)) ? [] : ['Host: api.example.com']
    const text = [`GET ${target} HTTP/1.1`, ...hosts, ...lines, 'Connection: close', '', ''].join('\r\n')
    return await rawRequest(url, text)
  }

  async function passes(attempt: Attempt, why = 'a good call passes'): Promise<void> {
    const { status, body } = await send(attempt)
    assert.equal(status, 200, why)
    assert.match(body, /let pass/, why)
  }

  /** Refused as it should be, and a good request right after passes. */
  async function refused(attempt: Attempt, expected: Expected, why = ''): Promise<void> {
    told.refusals.length = 0
    const { status, headers, body } = await send(attempt)
    const { error, error_description } = JSON.parse(body)
    const [refusal, ...more] = told.refusals
    assert.deepEqual({ status, error, reason: refusal?.reason }, expected, why)
    assert.equal(more.length, 0, 'it is told once')
    assert.match(error_description, /^[\x20-\x7e]+\.$/)
    assert.match(headers, /cache-control: no-store/i)
    if (status === 401) assert.match(headers, /www-authenticate: (DPoP|Bearer) error="/i)
    await passes({ lines: await good() })
  }

  async function good(call: Parameters<typeof boundHeaders>[0] = {}): Promise<string[]> {
    const { authorization, dpop } = await boundHeaders(call)
    return [`Authorization: ${authorization}`, `DPoP: ${dpop}`]
  }

  const badProof = (reason: string) => ({ status: 401, error: 'invalid_dpop_proof', reason })
  const badToken = (reason: string) => ({ status: 401, error: 'invalid_token', reason })

  test(`[attack 31] ${name}: two DPoP headers, two proofs in one, an empty one (RFC 9449 section 4.3)`, async () => {
    const [authorization = '', dpop = ''] = await good()
    const [, other = ''] = await good()
    await refused({ lines: [authorization, dpop, dpop] }, badProof('dpop_header'))
    await refused({ lines: [authorization, dpop, other.toLowerCase()] }, badProof('dpop_header'))
    await refused({ lines: [authorization, `${dpop}, ${other.slice(6)}`] }, badProof('malformed_jws'))
    await refused({ lines: [authorization, 'DPoP:'] }, badProof('malformed_jws'))
  })

  test(`[attack 35] ${name}: htu is the URL of the call, and nothing like it (RFC 9449 section 4.3)`, async () => {
    const hostile = [
      'https://api.example.com/v1/other',
      'https://api.example.com/v1/orders/',
      'https://api.example.com//v1/orders',
      'https://api.example.com/v1/%2e%2e/v1/orders',
      'https://api.example.com/v1/./orders',
      'https://api.example.com\\v1\\orders',
      'http://api.example.com/v1/orders',
      'https://evil.example.com/v1/orders',
      'https://api.example.com:444/v1/orders',
      'https://api.example.com@evil.example.com/v1/orders',
      'https://user@api.example.com/v1/orders',
      'https://\u0430pi.example.com/v1/orders',
      '/v1/orders',
      '',
    ]
    for (const htu of hostile) await refused({ lines: await good({ proof: { htu } }) }, badProof('dpop_htu'), htu)
    const same = ['https://API.Example.COM/v1/orders', 'https://api.example.com:443/v1/orders']
    for (const htu of [...same, 'https://api.example.com/v1/orders?page=1', 'https://api.example.com/v1/orders#top']) {
      await passes({ lines: await good({ proof: { htu } }) }, htu)
    }
    await passes({ target: '/v1/orders?page=1', lines: await good() })
    // Decoding a target before it is compared would make two of one.
    await refused({ target: '/v1/%6frders', lines: await good() }, badProof('dpop_htu'))
  })

  test(`[attack 36] ${name}: the URL is configuration: no Host, no whole-URL target, no X-Forwarded-Host`, async () => {
    const forged = { htu: 'https://evil.example.com/v1/orders' }
    const evil = ['Host: evil.example.com', 'X-Forwarded-Host: evil.example.com', 'X-Forwarded-Proto: https']
    const forwarded = ['Forwarded: host=evil.example.com;proto=https', 'X-Original-URL: /v1/orders']
    await refused({ lines: [...evil, ...(await good({ proof: forged }))] }, badProof('dpop_htu'))
    await refused({ lines: [...forwarded, ...(await good({ proof: forged }))] }, badProof('dpop_htu'))
    await passes({ lines: [...evil, ...forwarded, ...(await good())] })
    const whole = { status: 400, error: 'invalid_request', reason: 'request_target' }
    for (const target of ['http://evil.example.com/v1/orders', 'https://api.example.com/v1/orders']) {
      await refused({ target, lines: await good({ proof: { htu: target } }) }, whole, target)
    }
  })

  test(`[attack 46] ${name}: a bound token as Bearer, without a proof, under another key (RFC 9449 section 7)`, async () => {
    const [authorization = '', dpop = ''] = await good()
    await refused({ lines: [authorization.replace('DPoP', 'Bearer'), dpop] }, badToken('bound_token_as_bearer'))
    await refused({ lines: [authorization.replace('DPoP', 'Bearer')] }, badToken('bound_token_as_bearer'))
    await refused({ lines: [authorization] }, badToken('proof_missing'))
    await refused({ lines: await good({ key: await generateKey() }) }, badToken('proof_by_another_key'))
    const { cnf: _, ...unbound } = CLAIMS
    const token = await issuedToken({ ...unbound, cnf: undefined })
    await refused({ lines: await good({ token }) }, badToken('token_not_bound'))
  })

  test(`[attack 47] ${name}: the scheme in any letter case, one Authorization header (RFC 9110 section 11.1)`, async () => {
    for (const scheme of ['dpop', 'DPOP', 'dPoP']) {
      const [authorization = '', dpop = ''] = await good()
      await passes({ lines: [authorization.replace('DPoP', scheme), dpop] }, scheme)
    }
    const twice = { status: 400, error: 'invalid_request', reason: 'authorization_header' }
    const [authorization = '', dpop = ''] = await good()
    await refused({ lines: [authorization, 'authorization: Bearer x', dpop] }, twice)
    await refused({ lines: ['AUTHORIZATION: Bearer x', authorization, dpop] }, twice)
    await refused({ lines: [authorization, authorization, dpop] }, twice)
  })

  test(`[attack 38] ${name}: the same proof twice, and at once (RFC 9449 section 11.1)`, async () => {
    const lines = await good()
    const answers = await Promise.all(Array.from({ length: 8 }, () => send({ lines })))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.equal(answers.filter(({ status }) => status === 401).length, 7)
  })
}
