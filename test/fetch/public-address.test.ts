import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayReach } from '../../src/server/fetch/public-address.ts'

const PUBLIC = ['8.8.8.8', '93.184.216.34', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808']
/** Opened by the development switch. */
const PRIVATE = [
  '127.0.0.1',
  '127.255.255.254',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '::1',
  'fd00::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:10.0.0.1',
  '64:ff9b::7f00:1',
]
/** Never. */
const NEVER = [
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '0.0.0.0',
  '0.1.2.3',
  '224.0.0.1',
  '255.255.255.255',
  '240.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '::',
  '::7f00:1',
  '::127.0.0.1',
  '::8.8.8.8',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  '2002:808:808::',
  '2001:0:808:808::f7f7:f7f7',
  '',
  'localhost',
  '127.1 ',
]

test('[attack 108] only public unicast addresses are reached, also inside mapped and NAT64 ones', () => {
  for (const address of PUBLIC) assert.equal(mayReach(address, false), true, address)
  for (const address of [...PRIVATE, ...NEVER]) assert.equal(mayReach(address, false), false, address)
})

test('[attack 108] the development switch opens this machine and private networks, never link-local or metadata', () => {
  for (const address of [...PUBLIC, ...PRIVATE]) assert.equal(mayReach(address, true), true, address)
  for (const address of NEVER) assert.equal(mayReach(address, true), false, address)
})
