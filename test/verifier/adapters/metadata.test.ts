import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protect } from '../../../src/verifier/adapters/node-http.ts'
import { protectedResourceUrl } from '../../../src/verifier/adapters/protected-resource.ts'
import { given, listening } from './issued.ts'

const RULE = { scope: ['read'] }

test('the well-known name stands between host and path of the resource (RFC 9728 section 3.1)', () => {
  const name = '/.well-known/oauth-protected-resource'
  const urls = {
    'https://api.example.com': `https://api.example.com${name}`,
    'https://api.example.com/': `https://api.example.com${name}`,
    'https://api.example.com/v1/orders': `https://api.example.com${name}/v1/orders`,
    'https://api.example.com/v1/': `https://api.example.com${name}/v1/`,
    'https://api.example.com:8443/?tenant=a': `https://api.example.com:8443${name}?tenant=a`,
  }
  for (const [resource, url] of Object.entries(urls)) assert.equal(protectedResourceUrl(resource), url)
  assert.throws(() => protectedResourceUrl('urn:example:api'), TypeError)
  assert.throws(() => protectedResourceUrl('no url'), TypeError)
})

test('the document is read, and nothing else of its path is open (RFC 9728 section 3)', async () => {
  const { options } = given()
  const url = await listening(protect(options)(RULE, (_, response) => void response.end('let pass')))
  const document = `${url}/.well-known/oauth-protected-resource/v1`
  assert.equal((await fetch(`${document}?any=1`)).headers.get('cache-control'), 'public, max-age=300')
  const head = await fetch(document, { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    assert.equal((await fetch(document, { method })).status, 401, method)
  }
  for (const path of [
    `${document}/`,
    `${document}/other`,
    document.replace('/v1', ''),
    document.replace('/v1', '/V1'),
  ]) {
    assert.equal((await fetch(path)).status, 401, path)
  }
})
