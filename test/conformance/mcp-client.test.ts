import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  auth,
  ClientCredentialsProvider,
  DpopSession,
  discoverOAuthServerInfo,
  extractWWWAuthenticateParams,
  type FetchLike,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
} from '@modelcontextprotocol/client'
import { decodeJwt, decodeProtectedHeader, exportJWK } from 'jose'
import { listen } from './listen.ts'
import { startSetting } from './setting.ts'

/** What went to the token endpoint. */
type Sent = { readonly form: URLSearchParams; readonly authorization: string | null }

const setting = await startSetting()
const serverUrl = await startMcpResource(setting.issuer)
await setting.createResource({ resource: serverUrl, scopes: [{ name: 'tools:call' }], allow_bearer: true })
const access = [{ resource: serverUrl, scope: 'tools:call' }]

test('the MCP client finds the server from a 401 of a protected resource (RFC 9728 section 5, RFC 8414)', async () => {
  const refused = await fetch(serverUrl, { method: 'POST' })
  const { resourceMetadataUrl } = extractWWWAuthenticateParams(refused)
  assert(resourceMetadataUrl)

  const found = await discoverOAuthServerInfo(serverUrl, { resourceMetadataUrl })

  assert.equal(found.authorizationServerUrl, setting.issuer)
  assert.equal(found.authorizationServerMetadata?.issuer, setting.issuer)
  assert.equal(found.authorizationServerMetadata?.token_endpoint, `${setting.issuer}/oauth/token`)
})

test('the MCP client gets a client_credentials token by PrivateKeyJwtProvider, without client_id (RFC 7523 section 3)', async () => {
  const client = await setting.createKeyClient({ access, policies: { allow_bearer: true } })
  const { client_id, key } = client
  const provider = new PrivateKeyJwtProvider({
    clientId: client_id,
    privateKey: { ...(await exportJWK(key.privateKey)) },
    algorithm: 'ES256',
    scope: 'tools:call',
    expectedIssuer: setting.issuer,
  })

  const sent = await authorize(provider)

  assert.equal(sent.form.get('client_id'), null)
  assert.equal(sent.authorization, null)
  assert.equal(sent.form.get('resource'), serverUrl)
  const assertion = sent.form.get('client_assertion') ?? ''
  assert.equal(decodeProtectedHeader(assertion).typ, 'JWT')
  assert.equal(decodeJwt(assertion).aud, setting.issuer)
  assertToken(provider, client_id)
})

test('the MCP client gets a client_credentials token with a secret, by HTTP Basic (RFC 6749 section 2.3.1)', async () => {
  const { client_id, client_secret } = await setting.createSecretClient({
    access,
    token_endpoint_auth_method: 'client_secret_basic',
    policies: { allow_bearer: true },
  })
  const options = { clientId: client_id, clientSecret: client_secret, scope: 'tools:call' }
  const provider = new ClientCredentialsProvider({ ...options, expectedIssuer: setting.issuer })

  const sent = await authorize(provider)

  assert.match(sent.authorization ?? '', /^Basic /)
  assert.equal(sent.form.get('client_secret'), null)
  assertToken(provider, client_id)
})

test('the MCP client gets a DPoP-bound token from a client that must send a nonce (RFC 9449 sections 5 and 8)', async () => {
  const policies = { dpop_nonce: 'required' }
  const { client_id, key } = await setting.createKeyClient({ access, policies })
  const privateKey = { ...(await exportJWK(key.privateKey)) }
  const options = { clientId: client_id, privateKey, algorithm: 'ES256', scope: 'tools:call' }
  const provider = new PrivateKeyJwtProvider({ ...options, expectedIssuer: setting.issuer })
  const session = await DpopSession.create()

  assert.equal(await auth(Object.assign(provider, { dpop: () => session }), { serverUrl }), 'AUTHORIZED')

  const tokens = provider.tokens()
  assert.equal(tokens?.token_type, 'DPoP')
  assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt: session.thumbprint })
})

/** Runs the client's whole flow: resource metadata, server metadata, token. */
async function authorize(provider: OAuthClientProvider): Promise<Sent> {
  const seen: Sent[] = []
  const fetchFn: FetchLike = async (url, init) => {
    if (String(url) === `${setting.issuer}/oauth/token`) {
      const authorization = new Headers(init?.headers).get('authorization')
      seen.push({ form: new URLSearchParams(String(init?.body)), authorization })
    }
    return await fetch(url, init)
  }
  assert.equal(await auth(provider, { serverUrl, fetchFn }), 'AUTHORIZED')
  const [sent, ...others] = seen
  assert(sent)
  assert.equal(others.length, 0)
  return sent
}

function assertToken(provider: PrivateKeyJwtProvider | ClientCredentialsProvider, client_id: string): void {
  const tokens = provider.tokens()
  assert(tokens)
  assert.deepEqual([tokens.token_type, tokens.scope], ['Bearer', 'tools:call'])
  const { sub, aud, scope } = decodeJwt(tokens.access_token)
  assert.deepEqual({ sub, aud, scope }, { sub: client_id, aud: serverUrl, scope: 'tools:call' })
}

/** The part of an MCP server that comes before any tool: 401, and metadata that names its authorization server. */
async function startMcpResource(issuer: string): Promise<string> {
  const path = '/.well-known/oauth-protected-resource/mcp'
  const base = await listen(({ url }, response) => {
    if (url === path) {
      const metadata = { resource: `${base}/mcp`, authorization_servers: [issuer], scopes_supported: ['tools:call'] }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata))
      return
    }
    const challenge = `Bearer resource_metadata="${base}${path}", scope="tools:call"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  return `${base}/mcp`
}
