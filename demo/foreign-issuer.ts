import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
// Past the entry of the package, which warns on standard error of every Node that is no LTS release.
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js'
import { Provider } from 'oidc-provider/lib/provider.js'
import { z } from 'zod'

/** What the provider says of somebody besides `sub`. */
export type Claims = Readonly<Record<string, string | readonly string[]>>

/** One application at the provider: people sign in to it, or it is a workload of its own. */
export type Application = { readonly client_id: string; readonly workload?: Claims }

/** An OpenID provider that is not ours: its tokens are the foreign ones. */
export type ForeignIssuer = {
  readonly issuer: string
  readonly jwks_uri: string
  /** The ID token of a person, by the authorization code flow with PKCE; `acr` is what the sign-in was worth. */
  readonly signIn: (person: string, client_id: string, acr?: string) => Promise<string>
  /** The access token (RFC 9068) of a workload for one audience; bound where a DPoP proof is sent along. */
  readonly workloadToken: (client_id: string, audience: string, dpop?: string) => Promise<string>
  readonly token_endpoint: string
  readonly close: () => Promise<void>
}

export const ACR_VALUES = ['urn:example:password', 'urn:example:two-factors']
const REDIRECT_URI = 'https://app.example.test/callback'
const tokenSchema = z.object({ id_token: z.string().optional(), access_token: z.string() })

/**
 * Starts the provider on a loopback port of its own choice. People are named by their `sub`, with the claims of their ID
 * tokens; everybody's password is taken for granted, and what it signs is as real as anywhere.
 */
export async function startForeignIssuer(setup: {
  readonly people: Readonly<Record<string, Claims>>
  readonly applications: readonly Application[]
}): Promise<ForeignIssuer> {
  const server = createServer()
  const issuer = await listen(server)
  const secret = randomBytes(24).toString('base64url')
  const provider = new Provider(issuer, await configurationOf(setup, secret))
  const answer = provider.callback()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith('/interaction/')) void finishSignIn(provider, request, response)
    else answer(request, response)
  })
  const token_endpoint = `${issuer}/token`
  const askToken = async (client_id: string, parameters: Readonly<Record<string, string>>, dpop?: string) => {
    const authorization = `Basic ${Buffer.from(`${client_id}:${secret}`).toString('base64')}`
    const headers = { authorization, ...(dpop !== undefined && { dpop }) }
    const response = await fetch(token_endpoint, { method: 'POST', headers, body: new URLSearchParams(parameters) })
    return tokenSchema.parse(await response.json())
  }
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    token_endpoint,
    async signIn(person, client_id, acr) {
      const code_verifier = randomBytes(32).toString('base64url')
      const code = await authorizationCode(issuer, { person, client_id, code_verifier, acr })
      const parameters = { grant_type: 'authorization_code', code, code_verifier, redirect_uri: REDIRECT_URI }
      return (await askToken(client_id, parameters)).id_token ?? ''
    },
    async workloadToken(client_id, audience, dpop) {
      const parameters = { grant_type: 'client_credentials', resource: audience }
      return (await askToken(client_id, parameters, dpop)).access_token
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}

type Setup = Parameters<typeof startForeignIssuer>[0]
type Asking = {
  readonly oidc: {
    readonly provider: Provider
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
  }
}

async function configurationOf({ people, applications }: Setup, client_secret: string): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomBytes(8).toString('hex') }
  const names = [...new Set(Object.values(people).flatMap(claims => Object.keys(claims)))]
  const workloads = new Map(applications.map(({ client_id, workload }) => [client_id, workload]))
  const minutes = Object.fromEntries(
    ['AccessToken', 'AuthorizationCode', 'ClientCredentials', 'Grant', 'IdToken', 'Interaction', 'Session'].map(
      name => [name, 300] as const,
    ),
  )
  return {
    adapter: (name: string) => new MemoryAdapter(name),
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    clients: applications.map(({ client_id, workload }) => ({
      client_id,
      client_secret,
      grant_types: workload ? ['client_credentials'] : ['authorization_code'],
      response_types: workload ? [] : ['code'],
      redirect_uris: workload ? [] : [REDIRECT_URI],
      id_token_signed_response_alg: 'ES256',
    })),
    acrValues: ACR_VALUES,
    claims: { openid: ['sub', ...names] },
    conformIdTokenClaims: false,
    clientBasedCORS: () => false,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, audience: string) => ({
          audience,
          scope: '',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
      clientCredentials: { enabled: true },
    },
    extraTokenClaims: (_ctx: unknown, token: { clientId: string }) => workloads.get(token.clientId),
    findAccount: (_ctx: unknown, accountId: string) => {
      const claims = Object.hasOwn(people, accountId) ? people[accountId] : undefined
      return claims && { accountId, claims: () => ({ sub: accountId, ...claims }) }
    },
    interactions: { url: (_ctx: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    async loadExistingGrant({ oidc }: Asking) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
      grant.addOIDCScope('openid')
      await grant.save()
      return grant
    },
    renderError: (ctx: { body: unknown }, out: unknown) => {
      ctx.body = out
    },
    ttl: minutes,
  }
}

/** The page where people would sign in: here `login_hint` says who does. */
async function finishSignIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(request, response)
  const { login_hint, acr_values } = params
  const acr = typeof acr_values === 'string' ? { acr: acr_values } : {}
  await provider.interactionFinished(request, response, { login: { accountId: login_hint, ...acr } })
}

/** Follows the redirects of a sign-in as a browser does, with its cookies, up to the one that goes back to the app. */
async function authorizationCode(
  issuer: string,
  asked: { person: string; client_id: string; code_verifier: string; acr: string | undefined },
): Promise<string> {
  const cookies = new Map<string, string>()
  const query = new URLSearchParams({
    client_id: asked.client_id,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: REDIRECT_URI,
    code_challenge: createHash('sha256').update(asked.code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
    login_hint: asked.person,
    ...(asked.acr !== undefined && { acr_values: asked.acr }),
  })
  let url = `${issuer}/auth?${query}`
  for (let turn = 0; turn < 10; turn += 1) {
    const cookie = [...cookies].map(pair => pair.join('=')).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    const next = new URL(response.headers.get('location') ?? '', issuer)
    if (next.href.startsWith(REDIRECT_URI)) return next.searchParams.get('code') ?? ''
    if (response.status !== 302 && response.status !== 303) break
    url = next.href
  }
  throw new Error(`${asked.person} could not sign in at the foreign issuer.`)
}
