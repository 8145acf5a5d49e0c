import { isIP } from 'node:net'

export type ListenAddress = { readonly host: string; readonly port: number }

const WILDCARD_HOSTS = ['0.0.0.0', '::']

/** Issuer and `htu` are compared as strings (RFC 8414 section 3.3): one spelling only. */
export function urlProblem(name: string, text: string): string | undefined {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) return `${name} must be an absolute https URL.`
  if (url.username || url.password) return `${name} must not contain a user name or password.`
  if (/[?#]/.test(text)) return `${name} must not have a query or fragment.`
  if (text.endsWith('/')) return `${name} must not end with a slash.`
  const canonical = url.href.replace(/\/$/, '')
  if (canonical !== text) return `${name} must be written in its normal form, ${canonical}.`
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return `${name} must be an https URL, because its host is not a loopback address.`
  }
  return undefined
}

/** An entry of the trust list. `::ffff:` forms match more than they seem to (attacks.md 30). */
export function trustProblem(entry: string): string | undefined {
  const [address = '', prefix, ...rest] = entry.split('/')
  const version = isIP(address)
  const size = version === 4 ? 32 : 128
  const prefixFits =
    prefix === undefined || (/^[0-9]{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= size)
  if (version === 0 || address.includes('%') || rest.length > 0 || !prefixFits) {
    return 'REMIT_TRUST_PROXY must be a comma list of addresses or ranges such as 10.0.0.0/8, never everybody (/0).'
  }
  if (version === 6 && URL.parse(`http://[${address}]`)?.hostname.startsWith('[::ffff:')) {
    return 'REMIT_TRUST_PROXY must name IPv4 proxies in IPv4 form, not as ::ffff: addresses.'
  }
  return undefined
}

/** `host:port`, an IPv6 host in brackets; undefined for anything else. */
export function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(text)
  const [, address, name, port] = match ?? []
  const host = address ?? name
  return host && port && isPort(port) ? { host, port: Number(port) } : undefined
}

/** A port in its plain decimal form. */
export function isPort(text: string): boolean {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

/** The URL of a listener seen from this machine. */
export function localUrl(host: string, port: number): string {
  const name = WILDCARD_HOSTS.includes(host) ? '127.0.0.1' : host
  const authority = `${isIP(name) === 6 ? `[${name}]` : name}:${port}`
  return URL.parse(`http://${authority}`)?.href.replace(/\/$/, '') ?? `http://${authority}`
}

/** Whether two listeners with one port would collide. */
export function sharesHost(one: string, other: string): boolean {
  return one === other || WILDCARD_HOSTS.includes(one) || WILDCARD_HOSTS.includes(other)
}
