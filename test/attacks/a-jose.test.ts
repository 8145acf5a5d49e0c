import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { before, test } from 'node:test'
import assert from 'node:assert/strict'
import { base64url, forge, type TestKey, testKey } from '../protocol/forge.ts'
import { type Attempt, agentGrant, clientCredentials, proofOf, send, signed, type Unsigned } from './attempt.ts'
import { type GivenClient, givenClient, givenWorld, thumbprint, type World } from './given.ts'
import { type Expected, refused } from './refused.ts'

let world: World
before(async () => {
  world = await givenWorld()
})

/** Where a JWT of the caller's enters the token endpoint, and how each says no. */
type Entrance = 'assertion' | 'proof'
const REFUSAL: Record<Entrance, Omit<Expected, 'reason'>> = {
  assertion: { status: 401, error: 'invalid_client', audited: false },
  proof: { status: 400, error: 'invalid_dpop_proof', audited: false },
}

type Attack = {
  readonly row: number
  readonly name: string
  readonly at?: Entrance
  readonly reason: string | Record<Entrance, string>
  /** The hostile JWS instead of the good one. */
  readonly forge: (good: Unsigned) => string
}

/** Header members set or taken away, then signed with the right key. */
function header(members: Record<string, unknown>): (good: Unsigned) => string {
  return good => signed({ ...good, header: { ...good.header, ...members } })
}

function payload(members: Record<string, unknown>): (good: Unsigned) => string {
  return good => signed({ ...good, payload: { ...good.payload, ...members } })
}

/** Header and payload as they should be, with a signature of another making. */
function signature(make: (input: string, good: Unsigned) => Uint8Array | string): (good: Unsigned) => string {
  return good => {
    const input = signed(good).split('.').slice(0, 2).join('.')
    const made = make(input, good)
    return `${input}.${typeof made === 'string' ? made : base64url(made)}`
  }
}

/** The very JSON text of a part. */
function text(part: 'header' | 'payload', change: (json: string) => string): (good: Unsigned) => string {
  return ({ header, payload, key }) => {
    const changed = change(JSON.stringify(part === 'header' ? header : payload))
    return part === 'header' ? forge(changed, payload, key) : forge(header, changed, key)
  }
}

function respelt(change: (jws: string) => string): (good: Unsigned) => string {
  return good => change(signed(good))
}

function hmac(secret: (key: TestKey) => string | Buffer): (good: Unsigned) => string {
  return good => {
    const head = base64url(JSON.stringify({ ...good.header, alg: 'HS256' }))
    const input = `${head}.${base64url(JSON.stringify(good.payload))}`
    return `${input}.${createHmac('sha256', secret(good.key)).update(input).digest('base64url')}`
  }
}

function spki(key: TestKey, type: 'pem' | 'der'): string | Buffer {
  const options = { type: 'spki', format: type } as const
  const { privateKey } = key
  const { publicKey } = { publicKey: importedPublic(privateKey) }
  return publicKey.export({ ...options, format: 'pem' }).toString().length > 0 && type === 'pem'
    ? publicKey.export({ type: 'spki', format: 'pem' })
    : publicKey.export({ type: 'spki', format: 'der' })
}
