import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Access, accessSchema, grants, intersect, isWithin } from '../../src/protocol/access.ts'
import { isResourceUri } from '../../src/protocol/resource-uri.ts'
import { formatScope, parseScope } from '../../src/protocol/scope.ts'
import { elapsed, refusal } from './forge.ts'

const A = 'https://a.example'
const B = 'https://b.example'

const RESOURCES = [A, B, 'urn:x:c']
const SCOPES = ['read', 'write', 'admin', 'constructor']
const someAccess: fc.Arbitrary<Access> = fc.array(
  fc.record({
    resource: fc.constantFrom(...RESOURCES),
    scope: fc.uniqueArray(fc.constantFrom(...SCOPES), { minLength: 1 }).map(formatScope),
  }),
  { maxLength: 4 },
)
const everyPair = RESOURCES.flatMap(resource => SCOPES.map(scope => ({ resource, scope })))

test('[attack 124] read on A and write on B is not write on A (protocol.md section 1)', () => {
  const access = [
    { resource: A, scope: 'read' },
    { resource: B, scope: 'write' },
  ]
  assert.equal(grants(access, A, 'read'), true)
  assert.equal(grants(access, A, 'write'), false)
  assert.deepEqual(intersect(access, [{ resource: A, scope: 'write read' }]), [{ resource: A, scope: 'read' }])
  assert.equal(isWithin([{ resource: A, scope: 'read write' }], access), false)
  assert.equal(isWithin([{ resource: A, scope: 'read' }], access), true)
})

test('[attack 124] a pair is in the intersection exactly when it is in both', () => {
  fc.assert(
    fc.property(someAccess, someAccess, (a, b) => {
      const both = intersect(a, b)
      for (const { resource, scope } of everyPair) {
        assert.equal(grants(both, resource, scope), grants(a, resource, scope) && grants(b, resource, scope))
      }
      assert.ok(isWithin(both, a) && isWithin(both, b))
    }),
  )
})

test('intersecting is commutative, associative and idempotent, and agrees with isWithin', () => {
  fc.assert(
    fc.property(someAccess, someAccess, someAccess, (a, b, c) => {
      assert.deepEqual(intersect(a, b), intersect(b, a))
      assert.deepEqual(intersect(intersect(a, b), c), intersect(a, intersect(b, c)))
      const once = intersect(a, a)
      assert.deepEqual(intersect(once, once), once)
      assert.equal(isWithin(a, b), isWithin(a, intersect(a, b)))
    }),
  )
})

test('grants asks for one pair: no list, no empty scope, no prefix', () => {
  const access = [{ resource: A, scope: 'read write' }]
  for (const scope of ['', 'read write', ' read', 'rea', 'READ', 'read*']) assert.equal(grants(access, A, scope), false)
  assert.equal(grants(access, `${A}/`, 'read'), false)
})

test('access on the wire names each resource once, with a scope, and has no other member', () => {
  const good = [{ resource: A, scope: 'read write' }]
  assert.deepEqual(accessSchema.parse(good), good)
  assert.deepEqual(accessSchema.parse([]), [])
  const wrong = [
    [...good, { resource: A, scope: 'admin' }],
    [{ resource: A, scope: '' }],
    [{ resource: A, scope: 'a  b' }],
    [{ resource: A, scope: 'a a' }],
    [{ resource: A }],
    [{ resource: A, scope: ['read'] }],
    [{ resource: 'a', scope: 'read' }],
    [{ resource: A, scope: 'read', owner: 'me' }],
    Array.from({ length: 65 }, (_, i) => ({ resource: `urn:x:${i}`, scope: 'read' })),
    { resource: A, scope: 'read' },
  ]
  for (const access of wrong) assert.equal(accessSchema.safeParse(access).success, false, JSON.stringify(access))
})

test('a resource is an absolute URI without fragment (RFC 8707 section 2)', () => {
  for (const uri of [A, `${A}/`, `${A}:8443/x?y=%20`, 'urn:example:api', 'http://[::1]:4000/mcp'])
    assert.ok(isResourceUri(uri), uri)
  const wrong = [
    '',
    'a',
    '/x',
    '//a',
    `${A}#`,
    `${A}/#x`,
    `${A}/ x`,
    `${A}\n`,
    `${A}/%zz`,
    'https://u@a.example',
    'https://u:p@a.example/',
    'ftp://u@a.example/',
    'https:a',
    'https:///x',
    'https://',
    `${A}/é`,
    `${A}/\\`,
    `${A}/${'a'.repeat(512)}`,
    '1http://a',
    'urn:',
  ]
  for (const uri of wrong) assert.equal(isResourceUri(uri), false, uri)
})

test('a scope keeps its order and comes back as it was (RFC 6749 section 3.3)', () => {
  assert.deepEqual(parseScope('write read a:b/c!'), ['write', 'read', 'a:b/c!'])
  assert.equal(formatScope(parseScope('write read')), 'write read')
  assert.deepEqual(parseScope('admin*'), ['admin*'])
})

test('[attack 57] scope games are refused in linear time (RFC 6749 section 3.3)', () => {
  const wrong = [
    '',
    ' ',
    ' a',
    'a ',
    'a  b',
    'a\tb',
    'a\nb',
    'a\u00a0b',
    'a"',
    'a\\b',
    'a a',
    'é',
    'a\0',
    'a\u007f',
    'a'.repeat(257),
  ]
  const many = Array.from({ length: 5_000 }, (_, i) => `s${i}`).join(' ')
  const oneTooMany = Array.from({ length: 65 }, (_, i) => `s${i}`).join(' ')
  for (const scope of [...wrong, oneTooMany, many]) {
    assert.throws(() => parseScope(scope), refusal('invalid_scope', 'malformed_scope'), JSON.stringify(scope))
  }
  assert.equal(parseScope(Array.from({ length: 64 }, (_, i) => `s${i}`).join(' ')).length, 64)
  for (const scope of [many, ' '.repeat(65_536), 'a'.repeat(65_536), 'a '.repeat(32_768)]) {
    assert.ok(elapsed(() => parseScope(scope)) < 100)
  }
  assert.ok(elapsed(() => isResourceUri(`https:${'/'.repeat(65_536)}`)) < 100)
})
