import { randomUUID } from 'node:crypto'
import { API, APP, type Estate, WORKFLOW } from '../bench/estate.ts'
import { generateSigningKey } from '../bench/load/signer.ts'
import type { RemitPeer } from '../bench/peers/remit.ts'
import { type Answer, expectStatus, send } from '../demo/remit-client.ts'

/** Requests of one call of `sideActs`. */
export const SIDE_ACTS = 6

/** What happens now and then beside the load: an agent is registered, a token revoked, and two requests are refused. */
export async function sideActs({ metadata, issuer }: RemitPeer, { app, agents }: Estate): Promise<void> {
  const agent_id = `new-${randomUUID()}`
  const agent_components = { agent_id, prompt_template: `You are ${agent_id}.`, tools: [], configuration: {} }
  const registration = { app_id: APP, agent_components, public_key: generateSigningKey().publicJwk }
  const register = await app.clientToken(issuer, 'register:intent')
  const url = metadata.ajwt_agent_registration_endpoint
  expectStatus(await app.call('POST', url, register, registration), 200)

  const token = await app.clientToken(API, 'read')
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const form = { token, client_assertion_type, client_assertion: await app.signAssertion() }
  expectStatus(await send('POST', metadata.revocation_endpoint, {}, new URLSearchParams(form)), 200)

  const { solo, hand } = agents
  const asked = { audience: API, requested_scopes: ['read'] }
  const named = { agent_id: solo.agent_id, computed_checksum: solo.checksum }
  expectRefusal(await app.mint({ ...asked, ...named, requested_scopes: ['never:granted'] }, solo.key))
  const other = { agent_id: hand.agent_id, computed_checksum: hand.checksum, more: WORKFLOW }
  expectRefusal(await app.mint({ ...asked, ...other }, hand.key))
}

function expectRefusal({ status, body }: Answer): void {
  if (status >= 400 && status < 500) return
  throw new Error(`A request that must be refused was answered ${status} ${JSON.stringify(body).slice(0, 300)}`)
}
