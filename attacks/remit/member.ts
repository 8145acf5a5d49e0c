import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { agentChecksum, type ChecksumTool } from '../../src/protocol/checksum.ts'
import { holderKey } from '../../src/protocol/holder-key.ts'
import type { HolderKey } from '../../src/protocol/sign.ts'
import { type Agent, type AgentOptions, createAgent } from '../../src/shim/index.ts'
import { memoryKeyStore } from '../../src/shim/memory-key-store.ts'
import { type AgentName, CAST } from '../story.ts'

/** What a member of a crew needs to be made. */
export type Employer = {
  readonly issuer: string
  readonly client_id: string
  readonly key: HolderKey
  readonly api: string
}

/** One agent in this process, and what code of this process can find of it. */
export type Member = {
  readonly name: AgentName
  readonly agent: Agent
  /** Its registered key, as it lies in the key store. */
  readonly jwk: JWK
  readonly key: HolderKey
  /** `sha256:` and the checksum of what it is registered as. */
  readonly checksum: string
  /** The same agent anew, with another way to the network, or told something else. */
  readonly again: (changed: Partial<Pick<AgentOptions, 'fetch' | 'prompt' | 'tools'>>) => Agent
}

/** The tool of an agent, as a tool server describes it. */
export function toolOf(name: AgentName): ChecksumTool {
  const { tool } = CAST[name]
  const parameters = { type: 'object', properties: { invoice: { type: 'string' } } }
  return { name: tool, description: `What the ${name} does.`, parameters }
}

/** Makes an agent with the shim and a key of its own. */
export async function makeMember(name: AgentName, { issuer, client_id, key, api }: Employer): Promise<Member> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  const { prompt, scope } = CAST[name]
  const again: Member['again'] = changed =>
    createAgent({
      issuer,
      client: { client_id, key },
      agent_id: name,
      prompt,
      tools: [toolOf(name)],
      access: [{ resource: api, scope: [scope], bindBody: true }],
      keyStore: memoryKeyStore(jwk),
      ...changed,
    })
  const agent = again({})
  const checksum = `sha256:${agentChecksum(await agent.components())}`
  return { name, agent, jwk, key: await holderKey(jwk), checksum, again }
}
