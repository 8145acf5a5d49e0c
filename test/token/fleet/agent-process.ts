import { text } from 'node:stream/consumers'
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { importPublicJwk } from '../../../src/protocol/jwk.ts'
import { signDpopProof } from '../../../src/protocol/sign.ts'

/*
 * One process of a fleet: it makes a key that never leaves its memory, says the public half on its first line, reads what
 * its deployer answers on standard input, mints, and says on its second line what came of it.
 */

const orderSchema = z.object({
  token_endpoint: z.string(),
  /** The client's, for the token endpoint. */
  access_token: z.string(),
  key_statement: z.string().optional(),
  parameters: z.record(z.string(), z.string()),
  /** Epoch seconds on the server's clock. */
  iat: z.int(),
})

const { privateKey, publicKey } = await generateKeyPair('ES256')
const { jwk } = await importPublicJwk({ ...(await exportJWK(publicKey)) })
process.stdout.write(`${JSON.stringify(jwk)}\n`)

const order = orderSchema.parse(JSON.parse(await text(process.stdin)))
const { token_endpoint, access_token, key_statement, parameters, iat } = order
const dpop = await signDpopProof(
  { alg: 'ES256', privateKey, publicJwk: jwk },
  { htm: 'POST', htu: token_endpoint, iat, jti: crypto.randomUUID() },
)
const response = await fetch(token_endpoint, {
  method: 'POST',
  headers: { authorization: `Bearer ${access_token}`, dpop },
  body: new URLSearchParams({ ...parameters, ...(key_statement !== undefined && { key_statement }) }),
  signal: AbortSignal.timeout(10_000),
})
const body = z.record(z.string(), z.unknown()).parse(await response.json())
const claims = typeof body.access_token === 'string' ? decodeJwt(body.access_token) : undefined
const jkt = await calculateJwkThumbprint(jwk)
process.stdout.write(`${JSON.stringify({ pid: process.pid, status: response.status, jkt, body, claims })}\n`)
