import assert from 'node:assert/strict'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { type RootKeys, verifyDelegationProofs } from '../../src/verifier/delegation-proofs.ts'
import { refusal } from '../protocol/forge.ts'
import { type ChainSpec, ISSUER, NOW, registeredKeys } from './proven-chain.ts'

export const API = 'https://api.example.com'
export const EXECUTION = 'exe_AAAAAAAAAAAAAAAAAAAAAA'
export const ALL = { resource: API, scope: 'read write', ends: 600 }

/** supervisor (plan) → planner (plan) → patcher (patch), each hop with its step. */
export const THREE: ChainSpec = {
  agents: ['supervisor', 'planner', 'patcher'],
  hops: [
    { ...ALL, step: 'plan', workflow_step: 'plan' },
    { ...ALL, step: 'patch', workflow_step: 'patch', scope: 'deploy', ends: 300 },
  ],
  execution_id: EXECUTION,
  scope: 'deploy',
}
/** The same two hops without any workflow. */
export const PLAIN: ChainSpec = {
  agents: ['supervisor', 'planner', 'patcher'],
  hops: [ALL, { ...ALL, scope: 'read', ends: 300 }],
  scope: 'read',
}

export async function verify(claims: AccessTokenClaims, rootKeys: RootKeys = registeredKeys, now = NOW) {
  return await verifyDelegationProofs(claims, { issuer: ISSUER, rootKeys, now: () => new Date(now * 1000) })
}

export async function refused(claims: AccessTokenClaims, reason: string, now = NOW): Promise<void> {
  await assert.rejects(verify(claims, registeredKeys, now), refusal('invalid_token', reason))
}

export function withIntent(claims: AccessTokenClaims, changes: object): AccessTokenClaims {
  return { ...claims, ...(claims.intent && { intent: { ...claims.intent, ...changes } }) }
}
