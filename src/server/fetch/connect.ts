import dns from 'node:dns'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { FetchRefused } from './fetch-refused.ts'
import { mayReach } from './public-address.ts'

/** How names become addresses and addresses become sockets. */
export type Network = {
  readonly lookup: net.LookupFunction
  readonly connect: (options: net.NetConnectOpts) => net.Socket
}

export const SYSTEM_NETWORK: Network = { lookup: dns.lookup, connect: net.connect }

/**
 * A socket to the host of this URL, TLS where it is https, that certainly ends at an allowed address: every address a
 * name has is judged before anything is dialled, and the one that was reached before a byte is sent, so that a name
 * which changes its mind in between gains nothing (attacks.md 108). Throws FetchRefused.
 */
export async function connectGuarded(
  url: URL,
  allowPrivate: boolean,
  { lookup, connect }: Network,
  signal: AbortSignal,
): Promise<net.Socket> {
  if (namesForbiddenAddress(url, allowPrivate)) throw new FetchRefused('fetch_forbidden_address')
  const host = hostOf(url)
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const socket = connect({ host, port, lookup: judgedLookup(lookup, allowPrivate), autoSelectFamily: true })
  return await untilAborted(socket, signal, async () => {
    await once(socket, 'connect', { signal })
    if (!mayReach(socket.remoteAddress ?? '', allowPrivate)) throw new FetchRefused('fetch_forbidden_address')
    if (url.protocol !== 'https:') return socket
    const servername = net.isIP(host) === 0 ? { servername: host } : {}
    const secured = tls.connect({ socket, host, ...servername, ALPNProtocols: ['http/1.1'] })
    secured.on('error', () => {})
    await once(secured, 'secureConnect', { signal })
    return secured
  })
}

/** Whether a URL has an address for its host, and one that may not be reached. A name is judged when it is dialled. */
export function namesForbiddenAddress(url: URL, allowPrivate: boolean): boolean {
  const host = hostOf(url)
  return net.isIP(host) !== 0 && !mayReach(host, allowPrivate)
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** One forbidden address among several is enough to refuse the name: who would mix them honestly? */
function judgedLookup(lookup: net.LookupFunction, allowPrivate: boolean): net.LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      const found = typeof address === 'string' ? [address] : (address ?? []).map(entry => entry.address)
      const refused = error ?? (found.every(one => mayReach(one, allowPrivate)) ? null : forbidden())
      callback(refused, address, family)
    })
  }
}

function forbidden(): Error {
  return new FetchRefused('fetch_forbidden_address')
}

/** A socket that is not handed over is destroyed. */
async function untilAborted(
  socket: net.Socket,
  signal: AbortSignal,
  fn: () => Promise<net.Socket>,
): Promise<net.Socket> {
  // Whatever comes after the first error has no listener of its own, and must not end the process.
  socket.on('error', () => {})
  try {
    return await fn()
  } catch (error) {
    socket.destroy()
    if (error instanceof FetchRefused) throw error
    throw new FetchRefused(signal.aborted ? 'fetch_timeout' : 'fetch_unreachable', error)
  }
}
