import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareVersions, meetsMinimum } from '../../src/protocol/shim-release.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

const app = await startTestApp()
const { ctx, clock, adminUrl, issuer } = app
const admin = await givenAdmin(app)

async function call(method: string, path: string, body?: unknown, scope = 'admin:resources') {
  const token = await accessToken(app, admin, { resource: `${issuer}/admin`, scope })
  const url = `${adminUrl}/admin/v1/shim-releases${path}`
  const bound = await boundHeaders(app, admin, token, { method, url })
  const headers = { ...bound, ...(body !== undefined && { 'content-type': 'application/json' }) }
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const response = await fetch(url, init)
  return { status: response.status, body: await jsonOf(response) }
}

async function published() {
  const response = await fetch(`${issuer}/.well-known/ajwt-shim-releases`)
  return { status: response.status, cache: response.headers.get('cache-control'), body: await jsonOf(response) }
}

const at = clock.now().toISOString()
const hex = (digit: string) => digit.repeat(64)

test('versions compare as numbers, part by part', () => {
  const sorted = ['0.0.1', '0.0.10', '0.2.0', '0.10.0', '1.0.0', '1.0.9', '1.0.11', '2.0.0', '10.0.0', '999999.0.0']
  assert.deepEqual([...sorted].reverse().sort(compareVersions), sorted)
  assert.equal(compareVersions('1.2.3', '1.2.3'), 0)
})

test('the minimum is the highest version marked so, or none', () => {
  const released = [
    { version: '1.0.0', minimum: true },
    { version: '1.9.0', minimum: true },
    { version: '1.10.0', minimum: false },
  ]
  assert.deepEqual(
    ['1.8.9', '1.9.0', '1.10.0', '2.0.0'].map(version => meetsMinimum(version, released)),
    [false, true, true, true],
  )
  assert.equal(meetsMinimum('0.0.1', [{ version: '9.0.0', minimum: false }]), true)
})

test('a release is listed for administrators and published for everybody until it is withdrawn (section 2)', async () => {
  const second = { version: '1.10.0', checksum: hex('b'), minimum: true, status: 'released', released_at: at }
  const first = { version: '1.9.0', checksum: hex('a'), minimum: false, status: 'released', released_at: at }
  const created = await call('POST', '', { version: '1.10.0', checksum: `sha256:${hex('b')}`, minimum: true })
  assert.deepEqual(created, { status: 201, body: { ...second, withdrawn_at: null } })
  const other = await call('POST', '', { version: '1.9.0', checksum: hex('a') })
  assert.deepEqual(other, { status: 201, body: { ...first, withdrawn_at: null } })
  assert.deepEqual(await published(), {
    status: 200,
    cache: 'public, max-age=300',
    body: {
      releases: [
        { version: '1.9.0', checksum: `sha256:${hex('a')}`, minimum: false, released_at: at },
        { version: '1.10.0', checksum: `sha256:${hex('b')}`, minimum: true, released_at: at },
      ],
    },
  })

  const withdrawn = { ...first, status: 'withdrawn', withdrawn_at: at }
  assert.deepEqual(await call('DELETE', '/1.9.0'), { status: 200, body: withdrawn })
  assert.equal((await call('DELETE', '/1.9.0')).status, 404)
  assert.equal((await call('DELETE', '/7.0.0')).status, 404)
  const page = await call('GET', '?limit=1')
  assert.deepEqual(page.body.items, [withdrawn])
  const rest = await call('GET', `?limit=1&cursor=${page.body.next_cursor}`)
  assert.deepEqual(rest.body, { items: [{ ...second, withdrawn_at: null }], next_cursor: null })
  assert.deepEqual((await published()).body, {
    releases: [{ version: '1.10.0', checksum: `sha256:${hex('b')}`, minimum: true, released_at: at }],
  })
  const acts = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome'])
    .where('action', 'like', 'shim_release.%')
    .orderBy('action')
    .orderBy('outcome')
    .execute()
  assert.deepEqual(
    acts.map(({ action, outcome }) => `${action} ${outcome}`),
    [
      ...Array(2).fill('shim_release.create success'),
      ...Array(2).fill('shim_release.withdraw refused'),
      'shim_release.withdraw success',
    ],
  )
})

test('a version and a checksum are released once, withdrawn or not, and have one form (section 11)', async () => {
  for (const body of [
    { version: '1.9.0', checksum: hex('c') },
    { version: '3.0.0', checksum: hex('a') },
  ]) {
    assert.equal((await call('POST', '', body)).status, 409)
  }
  for (const body of [
    { version: '1.0', checksum: hex('d') },
    { version: '01.0.0', checksum: hex('d') },
    { version: '1.0.0-rc.1', checksum: hex('d') },
    { version: '1.0.0', checksum: hex('D') },
    { version: '1.0.0', checksum: 'd' },
    { version: '1.0.0', checksum: hex('d'), status: 'released' },
  ]) {
    assert.equal((await call('POST', '', body)).status, 400, JSON.stringify(body))
  }
  assert.equal((await call('GET', '', undefined, 'audit:read')).status, 403)
})

test('the server’s metadata names the releases (section 2)', async () => {
  const metadata = await jsonOf(await fetch(`${issuer}/.well-known/oauth-authorization-server`))
  assert.equal(metadata.ajwt_shim_releases_uri, `${issuer}/.well-known/ajwt-shim-releases`)
})
