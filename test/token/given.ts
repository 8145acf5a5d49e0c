import { policiesSchema } from '../../src/protocol/client.ts'
import type { DpopProof } from '../../src/protocol/dpop.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import type { Client } from '../../src/server/store/clients.ts'
import type { AgentAuthorization, Authorization, Target } from '../../src/server/token/authorization.ts'

export const AGENT_JWK = { kty: 'EC', crv: 'P-256', x: 'agent-x', y: 'agent-y' }

export const AGENT_KEY = { jkt: 'agent-jkt', jwk: AGENT_JWK }

export const PROOF: DpopProof = {
  jti: 'proof-jti',
  jkt: 'proof-jkt',
  jwk: { kty: 'EC', crv: 'P-256', x: 'proof-x', y: 'proof-y' },
  iat: 1_000,
  expires_at: 1_060,
}

export function client(policies: object = {}): Client {
  return {
    client_id: 'app',
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [] },
    jwks_uri: null,
    grant_types: [CLIENT_CREDENTIALS_GRANT],
    access: [],
    registers_for: [],
    policies: policiesSchema.parse(policies),
    status: 'active',
    created_at: new Date(0),
    created_by: 'operator',
    updated_at: null,
  }
}

export function target(overrides: Partial<Target> = {}): Target {
  return {
    resource: 'https://api.example.com',
    kind: 'registered',
    token_profile: 'interop',
    signing_alg: 'ES256',
    max_token_lifetime: 300,
    allow_bearer: false,
    workflow_names: 'plain',
    chain_disclosure: 'actors',
    ...overrides,
  }
}

export const AGENT: AgentAuthorization = {
  agent_id: 'planner',
  registration_id: 'reg_planner_1',
  version: 3,
  checksum: 'a'.repeat(64),
  key: 'registered',
  chain: ['agent:app:planner'],
  intent: {
    executed_by: 'planner',
    delegation_chain: 'b'.repeat(16),
    step_sequence_hash: 'c'.repeat(16),
    state: 'none',
    chain_commitment: 'commitment',
    initiated_by: 'agent:app:planner',
  },
}

export function authorization(overrides: Partial<Authorization> = {}): Authorization {
  return {
    grant: 'client_credentials',
    client: client(),
    target: target(),
    scope: ['read', 'write'],
    sub: 'app',
    sub_profile: 'client',
    ...overrides,
  }
}

export function agentAuthorization(overrides: Partial<Authorization> = {}): Authorization {
  const agent = { grant: 'agent', sub: 'agent:app:planner', sub_profile: 'ai_agent', agent: AGENT } as const
  return authorization({ ...agent, ...overrides })
}
