import assert from 'node:assert/strict'
import { agentGrant, clientCredentials, send, tokenRequest } from '../attacks/attempt.ts'
import { testKey } from '../protocol/forge.ts'
import { jtiOf, requestId } from './witness.ts'
import type { Scene } from './witnessed-scene.ts'

type Kind = (round: number) => Promise<unknown>

/** Requests for tokens, and what is refused before anybody is known. */
export function requestKinds({ world, app, witness }: Scene): readonly Kind[] {
  const { mint, refuse, unheard, countRefusal, write } = witness
  const solo = { agent_id: 'solo' }
  return [
    () => mint(clientCredentials(world)),
    () => mint(agentGrant(world, '/intent/token', world.solo), solo),
    () => mint(agentGrant(world, '/oauth/token', world.solo), solo),
    async () => {
      const attempt = agentGrant(world, '/intent/token', world.solo)
      attempt.params = { ...attempt.params, computed_checksum: 'a'.repeat(64) }
      await refuse(attempt, 'agent_checksum_mismatch', solo)
    },
    async () => {
      const attempt = agentGrant(world, '/oauth/token', world.solo)
      const agent_id = 'nobody'
      await refuse({ ...attempt, params: { ...attempt.params, agent_id } }, 'unknown_agent', { agent_id })
    },
    async () => {
      const key = testKey('ES256')
      const attempt = agentGrant(world, '/intent/token', world.solo)
      const proof = attempt.proof && { ...attempt.proof, key, header: { ...attempt.proof.header, jwk: key.jwk } }
      await refuse({ ...attempt, proof }, 'agent_key_mismatch', solo)
    },
    async () => {
      const attempt = agentGrant(world, '/oauth/token', world.solo)
      await refuse({ ...attempt, params: { ...attempt.params, scope: 'write' } }, 'invalid_scope', solo)
    },
    async () => {
      const attempt = clientCredentials(world)
      await refuse({ ...attempt, params: { ...attempt.params, resource: 'https://else.example' } }, 'invalid_target')
    },
    () => refuse(agentGrant(world, '/intent/token', world.planner), 'workflow_required', { agent_id: 'planner' }),
    async () => {
      const attempt = clientCredentials(world)
      await mint(attempt)
      await refuse(attempt, 'assertion_replayed')
    },
    async () => {
      const first = clientCredentials(world)
      await mint(first)
      await refuse({ ...clientCredentials(world), proof: first.proof }, 'dpop_replayed')
    },
    async () => {
      const minted = await mint(clientCredentials(world))
      const token = String(minted.body.access_token)
      // Introspection answers and writes nothing.
      assert.equal((await send(world, tokenRequest(world, '/oauth/introspect', world.client, token))).body.active, true)
      const answer = await send(world, tokenRequest(world, '/oauth/revoke', world.client, token))
      const { client_id } = world.client
      const row = { action: 'token.revoke', actor: client_id, client_id, jti: jtiOf(minted) }
      write({ ...row, request_id: requestId(answer) })
    },
    async () => {
      const attempt = clientCredentials(world)
      const assertion = attempt.assertion && { ...attempt.assertion, key: testKey('ES256') }
      await unheard({ ...attempt, assertion }, 'jws_signature')
    },
    () => unheard({ ...clientCredentials(world), body: '%%%' }, 'malformed_percent_encoding'),
    () => unheard({ ...agentGrant(world, '/intent/token', world.solo), body: '{"' }, 'json_malformed'),
    async () => {
      assert.equal((await fetch(`${app.adminUrl}/admin/v1/clients`)).status, 401)
      countRefusal('/admin/v1/clients', 'token_missing')
    },
    async () => {
      const headers = { authorization: 'Bearer x' }
      assert.equal((await fetch(`${app.issuer}/intent/agents/app`, { headers })).status, 401)
      countRefusal('/intent/agents/:app_id', 'malformed_jws')
    },
    // A page that is not there is nobody's business.
    async () => assert.equal((await fetch(`${app.issuer}/nothing`)).status, 404),
  ]
}
