import { randomUUID } from 'node:crypto'
import {
  createVerifier,
  type PresentedRequest,
  type Verifier,
  type VerifierOptions,
} from '../../src/verifier/verify.ts'
import { generateKey, signJws, signProof, type TestKey } from '../support/dpop.ts'

/* One API, one issuer key and one agent, without any server: calls as an agent would make them, spoilt where told. */

export const NOW = 1_800_000_000
export const ISSUER = 'https://idp.example.com'
export const AUDIENCE = 'https://api.example.com'
export const URL_HERE = 'https://api.example.com/orders'
export const signer = await generateKey()
export const agentKey = await generateKey()
export const published = { ...signer.jwk, kid: signer.jkt, alg: 'ES256', use: 'sig' }

export const HEADER = { typ: 'at+jwt', kid: signer.jkt }
export const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  client_id: 'patcher-app',
  sub: 'agent:patcher-app:worker',
  sub_profile: 'ai_agent',
  iat: NOW,
  exp: NOW + 300,
  jti: 'jti-1',
  scope: 'read write',
  cnf: { jkt: agentKey.jkt },
}
const { sub_profile: _profile, ...withoutProfile } = CLAIMS
export const DRAFT_HEADER = { ...HEADER, typ: 'JWT' }
export const DRAFT_CLAIMS = { ...withoutProfile, sub: 'worker', cnf: { jwk: agentKey.jwk } }

export const INTENT = {
  workflow_id: 'refunds',
  workflow_step: 'pay',
  executed_by: 'worker',
  delegation_chain: '0123456789abcdef',
  step_sequence_hash: '0123456789abcdef',
  state: 'recorded',
  execution_id: 'exe_1',
  chain_commitment: 'x',
  initiated_by: 'agent:patcher-app:worker',
}
export const AGENT_PROOF = {
  agent_checksum: `sha256:${'a'.repeat(64)}`,
  registration_id: 'reg_worker_1',
  version: 1,
  key: 'registered',
}
/** Of the agent in a recorded step. */
export const STEP_CLAIMS = { ...CLAIMS, intent: INTENT, agent_proof: AGENT_PROOF }

export function verifier(options: Partial<VerifierOptions> = {}): Verifier {
  const now = () => new Date(NOW * 1000)
  return createVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: () => [published], now, ...options })
}

export type Sent = {
  readonly scheme?: string
  readonly header?: object
  readonly claims?: object
  readonly proofKey?: TestKey | null
  readonly key?: TestKey
  readonly proof?: object
  /** Further claims of the proof. */
  readonly binding?: Readonly<Record<string, unknown>>
  readonly body?: string
}

/** A good request of the agent, spoilt where told. */
export async function request(sent: Sent = {}): Promise<PresentedRequest & { readonly authorization: string }> {
  const { scheme = 'DPoP', header = HEADER, claims = CLAIMS, proofKey = agentKey, key = signer, proof, body } = sent
  const token = await signJws(key, { ...header }, { ...claims })
  const input = { htm: 'GET', htu: URL_HERE, iat: NOW, accessToken: token, jti: randomUUID(), ...proof }
  const dpop = proofKey === null ? undefined : await signProof(proofKey, input, { payload: sent.binding ?? {} })
  const bytes = body === undefined ? {} : { body: () => Buffer.from(body) }
  return { authorization: `${scheme} ${token}`, dpop, method: 'GET', url: URL_HERE, ...bytes }
}
