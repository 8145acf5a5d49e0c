import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
// Past the entry of the package, which warns on standard error of every Node that is no LTS release.
import { Provider } from 'oidc-provider/lib/provider.js'
import { z } from 'zod'
import { asPeer } from './as-peer.ts'

// oidc-provider with its default adapter, in memory, set up for the same token: private_key_jwt, DPoP, an ES256 access token
// in the form of RFC 9068 for one audience.

const setupSchema = z.object({ origin: z.string(), client_id: z.string(), jwk: z.record(z.string(), z.string()) })

asPeer(async setup => {
  const { origin, client_id, jwk } = setupSchema.parse(setup)
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomBytes(8).toString('hex') }
  const provider = new Provider(origin, {
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    clients: [
      {
        client_id,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        id_token_signed_response_alg: 'ES256',
        jwks: { keys: [jwk] },
      },
    ],
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256'],
      dPoPSigningAlgValues: ['ES256'],
      idTokenSigningAlgValues: ['ES256'],
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, audience: string) => ({
          audience,
          scope: 'read',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: { ClientCredentials: 300 },
  })
  const server = createServer(provider.callback())
  const port = Number(new URL(origin).port)
  await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port }, resolve))
})
