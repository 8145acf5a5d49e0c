import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiOf } from '../../src/shim/protected-api.ts'

const apis = ['https://api.example.com', 'https://api.example.com/v2', 'https://other.example.com/api/'].map(
  resource => ({
    resource,
    scope: ['read'],
  }),
)

const cases: readonly [url: string, resource: string | undefined][] = [
  ['https://api.example.com', 'https://api.example.com'],
  ['https://API.example.com:443/pages?x=1#y', 'https://api.example.com'],
  ['https://api.example.com/v2', 'https://api.example.com/v2'],
  ['https://api.example.com/v2/pages', 'https://api.example.com/v2'],
  ['https://api.example.com/v20/pages', 'https://api.example.com'],
  ['https://other.example.com/api/pages', 'https://other.example.com/api/'],
  ['https://other.example.com/apis', undefined],
  ['https://other.example.com/', undefined],
  ['https://api.example.com.evil.example/pages', undefined],
  ['https://api.example.com@evil.example/', undefined],
  ['http://api.example.com/pages', undefined],
  ['https://api.example.com:8443/pages', undefined],
  ['https://other.example.com/api/%2e%2e/admin', undefined],
  ['/pages', undefined],
]

for (const [url, resource] of cases) {
  test(`${url} belongs to ${resource ?? 'nobody'}`, () => {
    assert.equal(apiOf(apis, url)?.resource, resource)
  })
}

test('an API may be served elsewhere than at its name', () => {
  const api = { resource: 'urn:example:pages', scope: ['read'], url: 'http://127.0.0.1:8080/pages' }
  assert.equal(apiOf([api], 'http://127.0.0.1:8080/pages/7'), api)
  assert.equal(apiOf([api], 'http://127.0.0.1:8080/'), undefined)
})
