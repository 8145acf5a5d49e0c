import { createServer } from 'node:http'
import { z } from 'zod'
import { type Answer, expectStatus, send } from '../../demo/remit-client.ts'
import type { Defer } from '../../demo/remit-server.ts'
import { emptyLedger, type Ledger } from '../ledger.ts'
import { listen } from '../listen.ts'
import { APP, SCOPES } from '../story.ts'
import { servePlainApi } from './api.ts'
import { type PlainServer, startPlainServer } from './authorization-server.ts'

/** The set-up for contrast: one OAuth client, whose agents share its Bearer token. */
export type Plain = {
  readonly api: string
  readonly ledger: Ledger
  readonly server: PlainServer
  /** The token of the client, for everything it may do: what each of its agents sends. */
  readonly token: (scope?: string) => Promise<string>
  /** What an agent of the app does: the token, and headers that say who and for whom. */
  readonly call: (method: string, path: string, asked: Asked) => Promise<Answer>
  /** What somebody does who has the token and nothing else. */
  readonly callWith: (token: string, method: string, path: string, body?: object, headers?: Headers_) => Promise<Answer>
}

type Headers_ = Readonly<Record<string, string>>
type Asked = { readonly agent: string; readonly user?: string; readonly body?: object; readonly api?: string }
const answerSchema = z.object({ access_token: z.string(), token_type: z.literal('Bearer') })

/** Starts the authorization server and the API, both of stock libraries. */
export async function startPlain(defer: Defer): Promise<Plain> {
  const apiServer = createServer()
  const api = await listen(apiServer, defer)
  const server = await startPlainServer(APP, api, defer)
  const ledger = emptyLedger()
  servePlainApi({ server: apiServer, url: api }, server, ledger)
  const token = (scope?: string) => clientToken(server, api, scope)
  const callWith: Plain['callWith'] = (access_token, method, path, body, headers = {}) =>
    send(method, `${api}${path}`, { Authorization: `Bearer ${access_token}`, ...headers }, body)
  return {
    ...{ api, ledger, server, token, callWith },
    async call(method, path, { agent, user = 'nobody', body, api: via = api }) {
      const headers = { Authorization: `Bearer ${await token()}`, 'x-agent': agent, 'x-on-behalf-of': user }
      return await send(method, `${via}${path}`, headers, body)
    },
  }
}

/** A token by the client's secret: whoever has that gets one, from `token_endpoint` or through somebody on the way. */
export async function clientToken(
  server: PlainServer,
  api: string,
  scope = SCOPES.join(' '),
  at = server.token_endpoint,
) {
  const Authorization = `Basic ${Buffer.from(`${APP}:${server.client_secret}`).toString('base64')}`
  const form = new URLSearchParams({ grant_type: 'client_credentials', resource: api, scope })
  return answerSchema.parse(expectStatus(await send('POST', at, { Authorization }, form), 200)).access_token
}
