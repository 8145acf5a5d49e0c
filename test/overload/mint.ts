import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { forge, type TestKey } from '../protocol/forge.ts'

export const API = 'https://api.example.com'

/** What a request needs beside its path. */
export type Signed = { readonly headers: Readonly<Record<string, string>>; readonly body: string }
export type Answered = {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly text: string
  /** Since it had a connection: what waited for one in this process is not the server's. */
  readonly milliseconds: number
}

/** A client_credentials request, signed now: `private_key_jwt` and DPoP with one key. */
export function signedMint(issuer: string, client_id: string, key: TestKey, more: object = {}): Signed {
  const iat = Math.floor(Date.now() / 1000)
  const htu = `${issuer}/oauth/token`
  const claims = { iss: client_id, sub: client_id, aud: issuer, iat, exp: iat + 60, jti: randomUUID() }
  const proof = { htm: 'POST', htu, iat, jti: randomUUID() }
  const body = new URLSearchParams({
    grant_type: CLIENT_CREDENTIALS_GRANT,
    ...{ resource: API, scope: 'read', ...more },
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: forge({ alg: key.alg }, claims, key),
  })
  return {
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      dpop: forge({ typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk }, proof, key),
    },
    body: body.toString(),
  }
}

/**
 * Connections of one address of this machine, kept open, in turn: the server closes what was idle for 5 s, and who sends
 * at that very moment gets no answer.
 */
export function connectionsFrom(localAddress: string, most = 75): Agent {
  return new Agent({ keepAlive: true, scheduling: 'fifo', localAddress, maxSockets: most, maxFreeSockets: most })
}

/**
 * Opens so many connections. Node takes one new connection a turn of its event loop: who comes on an open one is what is
 * measured, not how long a burst of new ones waits to be taken.
 */
export async function openConnections(issuer: string, agent: Agent, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const asked = request(`${issuer}/healthz`, { agent }, response => response.resume().on('end', resolve))
      asked.on('error', reject).end()
      await promise
    }),
  )
}

export async function post(url: string, { headers, body }: Signed, agent: Agent): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>()
  let start = performance.now()
  const sent = request(url, { method: 'POST', headers, agent }, response => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const retryAfter = response.headers['retry-after']
      resolve({ status: response.statusCode ?? 0, retryAfter, text, milliseconds: performance.now() - start })
    })
  })
  sent.on('socket', () => {
    start = performance.now()
  })
  sent.on('error', reject)
  sent.end(body)
  return await promise
}

/** The nearest-rank percentile; 0 of nothing. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0
}
