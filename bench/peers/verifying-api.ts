import fastify from 'fastify'
import { z } from 'zod'
import { remitVerifier } from '../../src/verifier/adapters/fastify.ts'
import { asPeer } from './as-peer.ts'

// An API behind the verifier, as its adapter for Fastify protects it.

const setupSchema = z.object({ origin: z.string(), issuer: z.string() })

asPeer(async setup => {
  const { origin, issuer } = setupSchema.parse(setup)
  const app = fastify()
  await app.register(remitVerifier, { issuer, audience: origin })
  app.get('/pages/7', { config: { intent: { scope: ['read'] } } }, async () => ({ page: 7 }))
  await app.listen({ host: '127.0.0.1', port: Number(new URL(origin).port) })
})
