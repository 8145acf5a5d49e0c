import { randomUUID } from 'node:crypto'
import type { Attempt } from '../attacks/attempt.ts'
import { agentGrant, proofOf } from '../attacks/attempt.ts'
import { type GivenAgent, thumbprint, type World } from '../attacks/given.ts'
import { forge, type TestKey } from '../protocol/forge.ts'

export type Signer = { readonly iss: string; readonly key: TestKey }

/** The agent itself vouches, by its registered key. */
export function byAgent({ client, agent_id, key }: GivenAgent): Signer {
  return { iss: `agent:${client.client_id}:${agent_id}`, key }
}

/** The client vouches, by a key of its JWKS. */
export function byClient({ client }: GivenAgent): Signer {
  return { iss: client.client_id, key: client.key }
}

/** A key statement for a key of an agent, good for an hour; members of `over` replace its claims. */
export async function statementFor(
  world: World,
  agent: GivenAgent,
  holder: TestKey,
  signer: Signer,
  over: object = {},
): Promise<string> {
  const { client, agent_id } = agent
  const iat = world.app.clock.seconds()
  const claims = {
    iss: signer.iss,
    sub: `agent:${client.client_id}:${agent_id}`,
    aud: world.app.issuer,
    jkt: await thumbprint(holder),
    iat,
    exp: iat + 3_600,
    jti: randomUUID(),
  }
  const header = { alg: signer.key.alg, typ: 'agent-key+jwt', kid: await thumbprint(signer.key) }
  return forge(header, { ...claims, ...over }, signer.key)
}

/** The agent grant with a proof by `holder`, and this statement. */
export function mintWith(
  world: World,
  agent: GivenAgent,
  holder: TestKey,
  key_statement?: string,
  path: '/oauth/token' | '/intent/token' = '/oauth/token',
): Attempt {
  const attempt = agentGrant(world, path, agent)
  return { ...attempt, params: { ...attempt.params, key_statement }, proof: proofOf(world, holder, path) }
}
