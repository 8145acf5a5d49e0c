import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import { policiesSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import type { Database } from '../../src/server/store/schema.ts'
import type { TestKey } from '../protocol/forge.ts'
import { thumbprint } from './given.ts'

/* What two `remit serve` processes find in their database: written past them, so that a thousand agents are quick. */

export const API = 'https://api.example.com'
/** Of every agent. */
export const CHECKSUM = 'a'.repeat(64)
/** Of all clients. */
export const SECRET = 'a-secret-of-the-two-node-test'
const BATCH = 250

export type GateAgent = { readonly client_id: string; readonly agent_id: string; readonly key: TestKey }

/**
 * `app`, which may ask for `read` at the API, register, and learn of all tokens for the API; `operator`, which may stop
 * and roll back; and further clients that may mint.
 */
export async function insertClients(db: Kysely<Database>, issuer: string, more: readonly string[] = []): Promise<void> {
  const now = new Date()
  const secret_digest = createHash('sha256').update(SECRET).digest()
  const read = { resource: API, scope: 'read' }
  const own = (scope: string) => ({ resource: issuer, scope })
  const rights = {
    app: [own('generate:intent-token register:intent register:workflow'), read],
    operator: [{ resource: `${issuer}/admin`, scope: 'revoke approve:agents' }],
    ...Object.fromEntries(more.map(client_id => [client_id, [own('generate:intent-token'), read]])),
  }
  for (const [client_id, access] of Object.entries(rights)) {
    await db
      .insertInto('client')
      .values({
        client_id,
        client_name: client_id,
        owner: `user:local:${client_id}`,
        kind: 'app',
        token_endpoint_auth_method: 'client_secret_basic',
        jwks: null,
        grant_types: JSON.stringify([CLIENT_CREDENTIALS_GRANT, AGENT_GRANT]),
        access: JSON.stringify(access),
        registers_for: '[]',
        policies: JSON.stringify(policiesSchema.parse({})),
        status: 'active',
        created_at: now,
        created_by: 'test',
      })
      .execute()
    await db
      .insertInto('client_secret')
      .values({ client_id, secret_digest, created_at: now, expires_at: null })
      .execute()
  }
  await db
    .insertInto('resource')
    .values({
      resource: API,
      scopes: JSON.stringify([{ name: 'read', workflow: false, approval: false }]),
      token_profile: 'interop',
      signing_alg: 'ES256',
      max_token_lifetime: 300,
      allow_bearer: false,
      // Introspection answers the API's own client, also when the client of a token is gone.
      client_id: 'app',
      status: 'active',
      created_at: now,
      created_by: 'test',
    })
    .execute()
}

/** As if each had been registered with a key of its own. */
export async function insertAgents(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  const now = new Date()
  for (let at = 0; at < agents.length; at += BATCH) {
    const batch = agents.slice(at, at + BATCH)
    const jkts = await Promise.all(batch.map(agent => thumbprint(agent.key)))
    const access = JSON.stringify([{ resource: API, scope: 'read' }])
    await db
      .insertInto('agent')
      .values(
        batch.map(({ client_id, agent_id }) => ({
          client_id,
          agent_id,
          status: 'active' as const,
          access,
          outside_workflow: true,
          suspended_by: null,
          created_at: now,
        })),
      )
      .execute()
    await db
      .insertInto('agent_key')
      .values(
        batch.map(({ client_id, agent_id, key }, n) => ({
          client_id,
          agent_id,
          jkt: jkts[n] ?? '',
          jwk: JSON.stringify(key.jwk),
          source: 'registered' as const,
          added_at: now,
          expires_at: null,
          removed_at: null,
        })),
      )
      .execute()
    await db
      .insertInto('registration')
      .values(
        batch.map(({ client_id, agent_id }) => ({
          client_id,
          agent_id,
          registration_id: `reg_${agent_id}`,
          version: 1,
          checksum: CHECKSUM,
          checksum_profile: 'jcs' as const,
          components_sealed: Buffer.alloc(0),
          status: 'active' as const,
          drain_seconds: 0,
          drains_until: null,
          proposed_grant: null,
          proposed_keys: null,
          registered_at: now,
          registered_by: 'test',
          registered_owner: 'user:local:app',
          approved_at: null,
          approved_by: null,
        })),
      )
      .execute()
  }
}
