import type { ServerMetadata } from '../protocol/metadata.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'
import { CliFailure } from './failure.ts'
import { fetchJson, withOneRepeat } from './http.ts'
import { generateKey } from './keys.ts'
import type { Session } from './session.ts'
import { type ClientCredential, exchangeOf, proofFor, requestToken } from './token-client.ts'

export type ProtectedClient = {
  readonly get: (path: string, query?: Readonly<Record<string, string>>) => Promise<unknown>
  readonly post: (path: string, body: unknown) => Promise<unknown>
  readonly patch: (path: string, body: unknown, query?: Readonly<Record<string, string>>) => Promise<unknown>
  readonly delete: (path: string, query?: Readonly<Record<string, string>>) => Promise<unknown>
}

export type ProtectedResource = {
  readonly metadata: ServerMetadata
  readonly credential: ClientCredential
  /** Audience of the access token. */
  readonly resource: string
  /** What the command needs, and no more. */
  readonly scope: string
  /** Where the paths hang, which for the admin API is not the audience. */
  readonly baseUrl: string
  /** Of a trusted issuer: exchanged, so that the acts are those of whoever it names. */
  readonly subject_token?: string | undefined
  /** A token that is there already, with its key. */
  readonly held?: { readonly access_token: string; readonly key: HolderKey } | undefined
}

/** A client of one of the server's own two APIs: tokens bound to a key that lives as long as the command. */
export function protectedClient(session: Session, target: ProtectedResource): ProtectedClient {
  let key = target.held?.key
  let token = target.held && { value: target.held.access_token, renewAt: Number.POSITIVE_INFINITY }

  async function call(method: string, path: string, init: { query?: string; headers?: object; body?: string }) {
    key ??= (await generateKey()).key
    const now = epochSeconds(session.now())
    if (!token || now >= token.renewAt) {
      const { scope, resource, subject_token } = target
      const grant = subject_token === undefined ? { grant_type: 'client_credentials' } : exchangeOf(subject_token)
      const parameters = { ...grant, scope, resource }
      const asked = requestToken(session, target.metadata, target.credential, parameters, key)
      const answer = await asked.catch(error => {
        throw explained(error, target)
      })
      token = { value: answer.access_token, renewAt: now + answer.expires_in - 30 }
    }
    const htu = `${target.baseUrl}${path}`
    const dpop = await proofFor(session, key, { htm: method, htu, access_token: token.value })
    const headers = { ...init.headers, authorization: `DPoP ${token.value}`, dpop }
    const request = { method, headers, ...(init.body !== undefined && { body: init.body }) }
    return (await fetchJson(`${htu}${init.query ?? ''}`, request)).body
  }

  /** One key for both attempts: whatever the first one did, the act is done once. */
  async function write(method: string, path: string, body?: unknown, query: Readonly<Record<string, string>> = {}) {
    const headers = {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      'idempotency-key': session.randomId(),
    }
    const init = { headers, query: queryText(query), ...(body !== undefined && { body: JSON.stringify(body) }) }
    return await withOneRepeat(() => call(method, path, init))
  }

  return {
    get: async (path, query = {}) => await withOneRepeat(() => call('GET', path, { query: queryText(query) })),
    post: async (path, body) => await write('POST', path, body),
    patch: async (path, body, query) => await write('PATCH', path, body, query),
    delete: async (path, query) => await write('DELETE', path, undefined, query),
  }
}

function queryText(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString()
  return text && `?${text}`
}

/** Nobody named this resource on the command line: what lacks is in the access of the client. */
function explained(error: unknown, { credential, resource, scope, subject_token }: ProtectedResource): unknown {
  if (!(error instanceof CliFailure) || !/^invalid_(target|scope)$/.test(error.code)) return error
  if (subject_token !== undefined) {
    const next = `The access of client ${credential.client_id}, or that of the trusted issuer, lacks { resource: "${resource}", scope: "${scope}" }.`
    return new CliFailure(error.code, error.message, { ...error.details, next })
  }
  const next = `The access of client ${credential.client_id} lacks { resource: "${resource}", scope: "${scope}" }: an administrator makes a client that has it, as "remit client create --help" shows.`
  return new CliFailure(error.code, error.message, { ...error.details, next })
}
