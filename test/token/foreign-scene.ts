import { after } from 'node:test'
import { startForeignIssuer } from '../../demo/foreign-issuer.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { boundHeaders, type GivenClient, givenAdmin, givenClient, givenResource } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { catchUp, givenTrustedIssuer } from './foreign.ts'

export const API = 'https://api.example.com'
export const APPROVES = 'approve:agents approve:steps'
export const MFA = 'urn:example:two-factors'

/** A server, and a real OpenID provider whose people administrate and start executions, and whose jobs register. */
export async function givenForeignScene() {
  const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
  const { issuer, ctx } = app
  const ADMIN = `${issuer}/admin`

  const idp = await startForeignIssuer({
    people: {
      eve: { tid: 'acme', groups: ['approvers'] },
      anna: { tid: 'acme', groups: ['users'] },
      mallory: { tid: 'other', groups: ['approvers'] },
    },
    applications: [
      { client_id: 'desk' },
      { client_id: 'shop' },
      { client_id: 'ci-main', workload: { repository: 'acme/agents' } },
      { client_id: 'ci-fork', workload: { repository: 'mallory/agents' } },
    ],
  })
  after(idp.close)

  await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
  /** Acts for whoever logs in, and has nothing of its own. */
  const desk = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
  const shop = await givenClient(app, {
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
    policies: { require_approval: true },
    access: [
      { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
      { resource: API, scope: 'read write' },
    ],
  })
  const any = await generateKey()
  const common = {
    issuer: idp.issuer,
    jwks: undefined,
    jwks_uri: idp.jwks_uri,
    algs: ['ES256'],
    typ_may_be_absent: true,
  }
  await givenTrustedIssuer(app, any, {
    ...common,
    ...{ name: 'staff', purpose: 'operator', audience: 'desk', clients: [desk.client_id], claims: { tid: 'acme' } },
    acr_values: [MFA],
    access_by_claim: [{ claim: 'groups', value: 'approvers', access: [{ resource: ADMIN, scope: APPROVES }] }],
  })
  await givenTrustedIssuer(app, any, {
    ...common,
    ...{ name: 'ci', purpose: 'workload', audience: issuer, clients: [shop.client_id], typs: ['at+jwt'] },
    claims: { repository: 'acme/agents' },
    access: [{ resource: issuer, scope: 'register:intent' }],
  })
  await givenTrustedIssuer(app, any, {
    ...common,
    ...{ name: 'corp', purpose: 'user', audience: 'shop', clients: [shop.client_id] },
  })

  /** Every foreign token that was sent. */
  const sent: string[] = []

  async function signIn(person: string, client_id = 'desk', acr: string | undefined = MFA): Promise<string> {
    const token = await idp.signIn(person, client_id, acr)
    catchUp(app)
    sent.push(token)
    return token
  }

  async function job(name = 'ci-main'): Promise<string> {
    const token = await idp.workloadToken(name, issuer)
    catchUp(app)
    sent.push(token)
    return token
  }

  async function lastMint() {
    return await ctx.db
      .selectFrom('audit_event')
      .select(['outcome', 'reason', 'actor', 'client_id', 'details'])
      .where('action', '=', 'token.issue')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow()
  }

  /** One call with a bound token, as its holder. */
  async function call(client: GivenClient, token: string, method: string, url: string, body?: object) {
    const bound = await boundHeaders(app, client, token, { method, url })
    const headers: Record<string, string> = { ...bound, ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return { status: response.status, body: await jsonOf(response) }
  }
  return { app, idp, desk, shop, any, common, sent, signIn, job, lastMint, call }
}
