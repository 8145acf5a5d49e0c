import { createHash } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import { after } from 'node:test'
import type { Refusal } from '../../../src/verifier/refusal.ts'
import { signJws, signProof, type TestKey } from '../../support/dpop.ts'
import { agentKey, CLAIMS as CLAIMS_AT_ROOT, HEADER, ISSUER, NOW, published, signer } from '../given-call.ts'

/* The issuer, the agent and the API of given-call.ts, served under a path by an adapter. */

export const AUDIENCE = 'https://api.example.com/v1'
export const ORIGIN = 'https://api.example.com'
export const CLAIMS = { ...CLAIMS_AT_ROOT, aud: AUDIENCE }

/** What was told to an API's developer and to its listener. */
export type Told = { readonly log: string[]; readonly refusals: Refusal[] }

/** Options of any adapter; `told` fills as it speaks. */
export function given(): { readonly options: ReturnType<typeof optionsFor>; readonly told: Told } {
  const told: Told = { log: [], refusals: [] }
  return { options: optionsFor(told), told }
}

function optionsFor(told: Told) {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: () => [published],
    now: () => new Date(NOW * 1000),
    onRefusal: (refusal: Refusal) => void told.refusals.push(refusal),
    log: (message: string, cause?: unknown) =>
      void told.log.push(cause instanceof Error ? `${message} ${cause.message}` : message),
  }
}

export async function issuedToken(claims: object = {}): Promise<string> {
  return await signJws(signer, HEADER, { ...CLAIMS, ...claims })
}

export type Call = {
  readonly method?: string
  /** As clients see it. */
  readonly path?: string
  readonly token?: string
  readonly key?: TestKey
  /** Members of the proof to set. */
  readonly proof?: Readonly<Record<string, unknown>>
  /** Named by the proof. */
  readonly bound?: string | Uint8Array
}

/** Headers of one good call, spoilt where told. */
export async function boundHeaders(call: Call = {}): Promise<{ authorization: string; dpop: string }> {
  const { method = 'GET', path = '/v1/orders', key = agentKey, bound, proof } = call
  const token = call.token ?? (await issuedToken())
  const bd = bound === undefined ? {} : { bd: digest(bound) }
  const input = { htm: method, htu: `${ORIGIN}${path}`, iat: NOW, accessToken: token }
  return { authorization: `DPoP ${token}`, dpop: await signProof(key, input, { payload: { ...bd, ...proof } }) }
}

export function digest(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url')
}

/** Listens on loopback until the file ends. @returns the URL before the path */
export async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return await listen(server)
}

async function listen(server: Server): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.')
  return `http://127.0.0.1:${address.port}`
}
