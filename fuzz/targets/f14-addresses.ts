import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { z } from 'zod'
import { namesForbiddenAddress } from '../../src/server/fetch/connect.ts'
import { mayReach } from '../../src/server/fetch/public-address.ts'
import { edited } from '../edited.ts'
import { target } from '../target.ts'

/** The special-purpose address registries of IANA (RFC 6890), and what of IPv6 is given out at all (RFC 4291). */
const NOT_PUBLIC_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
]
const NOT_PUBLIC_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
const PRIVATE = ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7']
const METADATA = ['169.254.169.254', '169.254.170.2', 'fe80::a9fe:a9fe', '100.100.100.200']

const notPublic = listOf([...NOT_PUBLIC_V4, ...NOT_PUBLIC_V6])
const openedInDevelopment = listOf(PRIVATE)
const givenOut = listOf(['2000::/3'])
const mapped = listOf(['::ffff:0:0/96', '64:ff9b::/96'])

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Where a connection to this address ends: behind a mapping at the IPv4 address in it. */
function endOf(address: string): string {
  if (isIP(address) !== 6 || !contains(mapped, address)) return address
  // Written by WHATWG URL, which knows one spelling only.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').at(-1)?.split(':') ?? []
  const [high = '0', low = '0'] = groups.length === 1 ? ['0', groups[0]] : groups.slice(-2)
  const bytes = Buffer.from(`${high.padStart(4, '0')}${low.padStart(4, '0')}`, 'hex')
  return bytes.join('.')
}

function isPublic(address: string): boolean {
  const end = endOf(address)
  return isIP(end) === 4 ? !contains(notPublic, end) : contains(givenOut, end) && !contains(notPublic, end)
}

const EDGES = [
  ...NOT_PUBLIC_V4,
  ...NOT_PUBLIC_V6,
  ...PRIVATE,
  '2000::/3',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
]
const v4 = fc.oneof(
  fc.ipV4(),
  fc.constantFrom(...EDGES, ...METADATA).map(one => one.split('/')[0] ?? ''),
)
const hex = (text: string) =>
  text
    .split('.')
    .map(part => Number(part).toString(16).padStart(2, '0'))
    .join('')
const asMapped = v4
  .filter(one => isIP(one) === 4)
  .chain(one =>
    fc
      .constantFrom('::ffff:', '64:ff9b::', '::', '64:ff9b:1::', '2002:', '::ffff:0:')
      .chain(prefix => fc.constantFrom(`${prefix}${one}`, `${prefix}${hex(one).slice(0, 4)}:${hex(one).slice(4)}`)),
  )
/** Just before, at and behind each end of each range. */
const edge = fc.constantFrom(...EDGES).chain(range => {
  const [address = '', prefix = '0'] = range.split('/')
  const width = isIP(address) === 6 ? 128n : 32n
  const first = numberOf(address)
  const last = first + (1n << (width - BigInt(prefix))) - 1n
  return fc.constantFrom(first, first - 1n, last, last + 1n).map(number => textOf(number & ((1n << width) - 1n), width))
})

function numberOf(address: string): bigint {
  if (isIP(address) === 4) return BigInt(`0x${hex(address)}`)
  const [left = '', right = ''] = address.split('::')
  const [before, after] = [left, right].map(half => half.split(':').filter(Boolean))
  const middle = Array.from({ length: 8 - (before?.length ?? 0) - (after?.length ?? 0) }, () => '0')
  return BigInt(`0x${[...(before ?? []), ...middle, ...(after ?? [])].map(group => group.padStart(4, '0')).join('')}`)
}

function textOf(number: bigint, width: bigint): string {
  const digits = number.toString(16).padStart(Number(width / 4n), '0')
  return width === 32n ? Buffer.from(digits, 'hex').join('.') : (digits.match(/.{4}/g) ?? []).join(':')
}

export const addresses = target({
  name: 'f14',
  rule: 'only public addresses are reached, as the registries of IANA have them (attacks.md 108)',
  input: z.string(),
  arbitrary: fc.oneof(
    { arbitrary: fc.oneof(v4, fc.ipV6(), asMapped, edge), weight: 6 },
    {
      arbitrary: edited(fc.oneof(v4, asMapped, edge), ['0x', '0', '%eth0', '.', ':', '::', '[', ' ', '/8'], 2),
      weight: 2,
    },
  ),
  shortRuns: 500,
  holds(address) {
    const url = URL.parse(`http://${isIP(address) === 6 ? `[${address}]` : address}/`)
    const host = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
    if (url) assert.equal(namesForbiddenAddress(url, false), isIP(host) !== 0 && !isPublic(host), url.href)
    if (isIP(address) === 0) return
    const reached = mayReach(address, false)
    const [bare = ''] = address.split('%')
    if (bare !== address) return assert.ok(!reached || isPublic(bare), 'an address of one link')
    assert.equal(reached, isPublic(address), address)
    assert.equal(mayReach(address, true), isPublic(address) || contains(openedInDevelopment, endOf(address)), address)
  },
})
