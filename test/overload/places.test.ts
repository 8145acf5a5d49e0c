import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressGroup } from '../../src/server/address-group.ts'
import { createInWork, type InWork } from '../../src/server/http/in-work.ts'
import { createPace, nextPlaces } from '../../src/server/http/pace.ts'
import { secondsUntilFree } from '../../src/server/shared-counts.ts'

/** How many places one gets that takes what it can. */
function fill(places: InWork, name: string, share = 1): number {
  let taken = 0
  while (places.enter([{ name, share }])) taken += 1
  return taken
}

test('one holder gets its share of what is free, several share it, and room is left for those who hold few', () => {
  const alone = createInWork(120)
  assert.equal(fill(alone, 'one'), 60)
  assert.equal(fill(createInWork(120), 'one', 2), 80)

  const shared = createInWork(120)
  const floods = ['a', 'b', 'c']
  // In turn, until none gets more.
  const taken = new Map(floods.map(name => [name, 0]))
  for (let grew = true; grew; ) {
    grew = false
    for (const name of floods) {
      if (!shared.enter([{ name, share: 1 }])) continue
      taken.set(name, (taken.get(name) ?? 0) + 1)
      grew = true
    }
  }
  assert.deepEqual([...taken.values()], [30, 30, 30])
  assert.ok(shared.enter([{ name: 'good', share: 1 }]))
})

test('who holds few is let in while there are places at all, though they are fewer for now', () => {
  const places = createInWork(40, () => 16)
  assert.equal(fill(places, 'flood'), 8)
  for (const name of ['b', 'c', 'd', 'e']) assert.equal(fill(places, name), 8)
  assert.equal(places.held(), 40)
  assert.equal(places.enter([{ name: 'late', share: 1 }]), undefined)
})

test('a place is given back once, and every holder of it is judged', () => {
  const places = createInWork(10)
  const leave = places.enter([{ name: 'address', share: 2 }])
  leave?.()
  leave?.()
  assert.equal(places.held(), 0)
  fill(places, 'client')
  assert.equal(places.fits([{ name: 'other', share: 1 }]), true)
  assert.equal(
    places.fits([
      { name: 'other', share: 1 },
      { name: 'client', share: 1 },
    ]),
    false,
  )
})

test('places follow how long the work takes: fewer at once where it is too long, back by a tenth (Little)', () => {
  const limits = { most: 128, least: 8, milliseconds: 200 }
  assert.equal(nextPlaces(128, limits, 100), 128)
  assert.equal(nextPlaces(128, limits, 300), 85)
  assert.equal(nextPlaces(128, limits, 10_000), 64)
  assert.equal(nextPlaces(9, limits, 10_000), 8)
  assert.equal(nextPlaces(64, limits, 200), 71)
  let time = 0
  const pace = createPace(limits, () => time)
  for (let n = 0; n < 40; n += 1) {
    time += 50
    pace.done(time - 1000)
  }
  assert.equal(pace.places(), 8)
  for (let n = 0; n < 80; n += 1) {
    time += 50
    pace.done(time - 10)
  }
  assert.equal(pace.places(), 128)
})

test('a minute slides: of the one before counts what is less than a minute ago', () => {
  assert.equal(secondsUntilFree(10, 9, 0, 30), 0)
  assert.equal(secondsUntilFree(10, 10, 0, 45), 15)
  assert.equal(secondsUntilFree(10, 0, 20, 29), 1)
  assert.equal(secondsUntilFree(10, 0, 20, 31), 0)
  assert.equal(secondsUntilFree(10, 5, 10, 0), 30)
  assert.equal(secondsUntilFree(10, 5, 10, 30.1), 0)
  assert.equal(secondsUntilFree(1, 1_000_000, 1_000_000, 0), 60)
})

test('an IPv4 address is one, an IPv6 network of 64 bits is one, however they are written (RFC 4291)', () => {
  assert.equal(addressGroup('192.0.2.1'), '192.0.2.1')
  assert.equal(addressGroup('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(addressGroup('2001:db8:0:1::1'), '2001:db8:0:1')
  assert.equal(addressGroup('2001:DB8::1:ffff:0:0:2'), '2001:db8:0:1')
  assert.equal(addressGroup('2001:0db8:0000:0001:ffff:1:2:3'), '2001:db8:0:1')
  assert.equal(addressGroup('fe80::1%eth0'), 'fe80:0:0:0')
  assert.equal(addressGroup('::1'), '0:0:0:0')
  assert.notEqual(addressGroup('2001:db8:0:1::1'), addressGroup('2001:db8:0:2::1'))
})
