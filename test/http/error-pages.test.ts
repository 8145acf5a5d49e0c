import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { ERROR_CATALOGUE } from '../../src/protocol/error-catalogue.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

const app = await startTestApp({ path: '/op' })
const CODES = Object.entries(ERROR_CATALOGUE)

/** Visible text, without markup. */
function textOf(html: string): string {
  return html
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')
}

function plain(text: string): string {
  return text.replaceAll('`', '')
}

async function open(url: string) {
  const response = await fetch(url)
  return { status: response.status, headers: response.headers, html: await response.text() }
}

test('every code has a page with its title, cause and mend (protocol.md section 10)', async () => {
  assert.ok(CODES.length > 30)
  for (const [code, { title, cause, mend }] of CODES) {
    const { status, headers, html } = await open(`${app.issuer}/errors/${code}`)
    assert.equal(status, 200, code)
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    const text = textOf(html).replaceAll(' .', '.')
    for (const part of [code, title, cause, mend]) {
      assert.ok(squeezed(text).includes(squeezed(plain(part))), `${code}: ${part}`)
    }
  }
})

function squeezed(text: string): string {
  return text.replace(/\s/g, '')
}

test('[attack 113] a page runs nothing and loads nothing; its one style is known by its hash', async () => {
  for (const path of ['/errors', '/errors/invalid_grant', '/errors/none-such']) {
    const { headers, html } = await open(`${app.issuer}${path}`)
    const style = /<style>(.*?)<\/style>/s.exec(html)?.[1] ?? ''
    const digest = createHash('sha256').update(style).digest('base64')
    assert.equal(
      headers.get('content-security-policy'),
      `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    )
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.doesNotMatch(html, /<script|\son\w+=|\sstyle=|https?:/)
    assert.match(html, /prefers-color-scheme:dark/)
    assert.match(html, /<meta name="viewport" content="width=device-width">/)
  }
})

test('[attack 113] a code that is not ours is 404 and is never shown', async () => {
  for (const name of ['none-such', '%3Cscript%3Ealert(1)%3C%2Fscript%3E', '__proto__', 'constructor', 'toString']) {
    const { status, html } = await open(`${app.issuer}/errors/${name}`)
    assert.equal(status, 404, name)
    assert.doesNotMatch(html, /none-such|alert|proto|constructor|toString/)
  }
})

test('the index links every page, and each link opens', async () => {
  const { html } = await open(`${app.issuer}/errors`)
  const links = [...html.matchAll(/href="([^"]+)"/g)].map(match => match[1] ?? '')
  assert.deepEqual(
    links,
    CODES.map(([code]) => `errors/${code}`),
  )
  for (const link of links) assert.equal((await open(new URL(link, `${app.issuer}/errors`).href)).status, 200)
})

test('every refusal names the page that explains it, and the page opens (protocol.md section 10)', async () => {
  const admin = await givenAdmin(app)
  const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope: 'audit:read' })
  const asAdmin = async (method: string, path: string) => {
    const url = `${app.adminUrl}${path}`
    return await fetch(url, { method, headers: await boundHeaders(app, admin, token, { method, url }) })
  }
  const form = (path: string, body: string) =>
    fetch(`${app.issuer}${path}`, { method: 'POST', body: new URLSearchParams(body) })
  const refusals: [Promise<Response>, string][] = [
    [form('/oauth/token', 'grant_type=nonsense'), 'unsupported_grant_type'],
    [form('/oauth/token', 'grant_type=client_credentials'), 'invalid_scope'],
    [form('/oauth/token', 'grant_type=client_credentials&scope=a'), 'invalid_client'],
    [form('/oauth/introspect', 'token=a'), 'invalid_client'],
    [form('/oauth/revoke', ''), 'invalid_request'],
    [fetch(`${app.issuer}/intent/token`, { method: 'POST', body: 'x' }), 'invalid_request'],
    [fetch(`${app.issuer}/intent/agents/app`), 'invalid_token'],
    [fetch(`${app.issuer}/oauth/token`), 'invalid_request'],
    [fetch(`${app.issuer}/nothing`), 'not_found'],
    [fetch(`${app.adminUrl}/admin/v1/clients`), 'invalid_token'],
    [asAdmin('GET', '/admin/v1/clients'), 'insufficient_scope'],
    [asAdmin('GET', '/admin/v1/audit?limit=0'), 'invalid_request'],
    [asAdmin('GET', '/admin/v1/audit/018f0000-0000-7000-8000-000000000000'), 'not_found'],
    [asAdmin('PUT', '/admin/v1/audit'), 'method_not_allowed'],
  ]
  for (const [answer, code] of refusals) {
    const response = await answer
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, code)
    const body = await jsonOf(response)
    const uri = String(body.error_uri ?? body.type)
    assert.match(uri, /^[\x21\x23-\x5b\x5d-\x7e]+$/, 'the characters of RFC 6749 section 5.2')
    assert.equal(uri, `${app.issuer}/errors/${code}`, JSON.stringify(body))
    assert.equal((await open(uri)).status, 200)
  }
})
