import type { ServerMetadata } from '../protocol/metadata.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'
import { CliFailure } from './failure.ts'
import { fetchJson, withOneRepeat } from './http.ts'
import { generateKey } from './keys.ts'
import type { Session } from './session.ts'
import { type ClientCredential, proofFor, requestToken } from './token-client.ts'

export type ProtectedClient = {
  readonly get: (path: string, query?: Readonly<Record<string, string>>) => Promise<unknown>
  readonly post: (path: string, body: unknown) => Promise<unknown>
}

export type ProtectedResource = {
  readonly metadata: ServerMetadata
  readonly credential: ClientCredential
  /** Audience of the access token. */
  readonly resource: string
  /** The one scope that the command needs. */
  readonly scope: string
  /** Where the paths hang, which for the admin API is not the audience. */
  readonly baseUrl: string
}

/** A client of one of the server's own two APIs: tokens bound to a key that lives as long as the command. */
export function protectedClient(session: Session, target: ProtectedResource): ProtectedClient {
  let key: HolderKey | undefined
  let token: { readonly value: string; readonly renewAt: number } | undefined

  async function call(method: string, path: string, init: { query?: string; headers?: object; body?: string }) {
    key ??= (await generateKey()).key
    const now = epochSeconds(session.now())
    if (!token || now >= token.renewAt) {
      const parameters = { grant_type: 'client_credentials', scope: target.scope, resource: target.resource }
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

  return {
    async get(path, query = {}) {
      const text = new URLSearchParams(query).toString()
      return await withOneRepeat(() => call('GET', path, { query: text && `?${text}` }))
    },
    async post(path, body) {
      // One key for both attempts: whatever the first one did, the act is done once.
      const headers = { 'content-type': 'application/json', 'idempotency-key': session.randomId() }
      return await withOneRepeat(() => call('POST', path, { headers, body: JSON.stringify(body) }))
    },
  }
}

/** Nobody named this resource on the command line: what lacks is in the access of the client. */
function explained(error: unknown, { credential, resource, scope }: ProtectedResource): unknown {
  if (!(error instanceof CliFailure) || !/^invalid_(target|scope)$/.test(error.code)) return error
  const next = `The access of client ${credential.client_id} lacks { resource: "${resource}", scope: "${scope}" }: an administrator makes a client that has it, as "remit client create --help" shows.`
  return new CliFailure(error.code, error.message, { ...error.details, next })
}
