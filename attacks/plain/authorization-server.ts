import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
// Past the entry of the package, which warns on standard error of every Node that is no LTS release.
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js'
import { Provider } from 'oidc-provider/lib/provider.js'
import type { Defer } from '../../demo/remit-server.ts'
import { listen } from '../listen.ts'
import { SCOPES } from '../story.ts'

export type PlainServer = {
  readonly issuer: string
  readonly jwks_uri: string
  readonly token_endpoint: string
  readonly client_secret: string
}

/** A stock authorization server: one client, client_credentials, access tokens as JWTs (RFC 9068), Bearer. */
export async function startPlainServer(client_id: string, api: string, defer: Defer): Promise<PlainServer> {
  const server = createServer()
  const issuer = await listen(server, defer)
  const client_secret = randomBytes(24).toString('base64url')
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomBytes(8).toString('hex') }
  const scope = SCOPES.join(' ')
  const provider = new Provider(issuer, {
    adapter: (name: string) => new MemoryAdapter(name),
    jwks: { keys: [key] },
    clients: [
      {
        client_id,
        client_secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope,
        id_token_signed_response_alg: 'ES256',
      },
    ],
    scopes: [...SCOPES],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope,
          audience: api,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: { ClientCredentials: 300 },
  })
  server.on('request', provider.callback())
  return { issuer, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token`, client_secret }
}
