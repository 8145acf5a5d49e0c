import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteRule as ExpressRule } from '../../src/verifier/adapters/express.ts'
import type { RouteRule as FastifyRule } from '../../src/verifier/adapters/fastify.ts'
import type { RouteRule as McpRule } from '../../src/verifier/adapters/mcp.ts'
import type { RouteRule as HttpRule } from '../../src/verifier/adapters/node-http.ts'
import { type AccessTokenClaims, createVerifier, OAuthError } from '../../src/verifier/index.ts'

const keys = { issuer: 'https://idp.example.com', audience: 'https://api.example.com', jwks: () => [] }

test('whoever writes an API by remit/verifier alone can tell a refusal, type the claims, and write a rule', async () => {
  const call = { method: 'GET', url: 'https://api.example.com/orders' }
  const refused: unknown = await createVerifier(keys)
    .verify(call)
    .catch((error: unknown) => error)
  assert.ok(refused instanceof OAuthError)
  assert.equal(refused.reason, 'token_missing')
  const owner = ({ client_id }: AccessTokenClaims) => client_id
  assert.equal(owner.length, 1)
  const rule = { scope: ['read'] } satisfies ExpressRule & FastifyRule & McpRule & HttpRule
  await assert.rejects(createVerifier(keys).verify(call, rule), refused)
})
