import ipaddr from 'ipaddr.js'

/** What the development switch opens besides: this machine and private networks. Never link-local, never metadata. */
const PRIVATE_RANGES: readonly string[] = ['loopback', 'private', 'uniqueLocal', 'carrierGradeNat']
/** Where an IPv6 address carries an IPv4 address that a gateway goes to: RFC 4291 section 2.5.5.2, RFC 6052. */
const CARRIES_IPV4: readonly string[] = ['ipv4Mapped', 'rfc6052']
/** Dialled as it stands, but read by ipaddr.js as if it were `::ffff:`: the deprecated form of RFC 4291 section 2.5.5.1. */
const IPV4_COMPATIBLE = /^::[^:]*\./
const NAT64_PREFIX = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]

/**
 * Whether a server may be reached at this IP address (attacks.md 108): unicast and public, also inside an IPv4-mapped
 * or NAT64 address. 6to4 and Teredo, which nobody runs any more (RFC 7526), are not public.
 */
export function mayReach(address: string, allowPrivate: boolean): boolean {
  const range = rangeOf(address)
  return range === 'unicast' || (allowPrivate && PRIVATE_RANGES.includes(range))
}

function rangeOf(text: string): string {
  if (!ipaddr.isValid(text)) return 'malformed'
  if (IPV4_COMPATIBLE.test(text)) return 'reserved'
  const address = ipaddr.parse(text)
  const range = address.range()
  const bytes = address.toByteArray()
  if (bytes.length === 4) return range
  if (CARRIES_IPV4.includes(range) && (range === 'ipv4Mapped' || isNat64(bytes))) {
    return ipaddr.fromByteArray(bytes.slice(12)).range()
  }
  // Only 2000::/3 is given out; the rest, such as IPv4-compatible ::7f00:1, is nobody's public address (RFC 4291).
  return range === 'unicast' && ((bytes[0] ?? 0) & 0xe0) !== 0x20 ? 'reserved' : range
}

/** 64:ff9b::/96; the other NAT64 prefix, 64:ff9b:1::/48, is for private networks (RFC 8215). */
function isNat64(bytes: readonly number[]): boolean {
  return NAT64_PREFIX.every((byte, at) => bytes[at] === byte)
}
