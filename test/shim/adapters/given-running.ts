import { OAuthError } from '../../../src/protocol/errors.ts'
import type { Agent } from '../../../src/shim/agent.ts'
import type { AgentOptions } from '../../../src/shim/agent-options.ts'
import type { TestApp } from '../../support/app.ts'
import { givenAgent } from '../../support/given.ts'
import { type Api, agentOf, type givenHost } from '../setting.ts'

type Host = Awaited<ReturnType<typeof givenHost>>

/** An agent of the shim, registered with exactly what it is made of now. */
export async function givenRunning(
  app: TestApp,
  host: Host,
  api: Api,
  options: Partial<AgentOptions> & { readonly agent_id: string },
): Promise<Agent> {
  const agent = agentOf(app, host, [api], options)
  const registration = { agent_components: await agent.components(), public_key: undefined }
  await givenAgent(app, host.client, options.agent_id, registration)
  return agent
}

/** The first refusal in an error and its causes, as frameworks wrap them. */
export function refusalIn(error: unknown): OAuthError | undefined {
  if (error instanceof OAuthError || !(error instanceof Error)) return error instanceof OAuthError ? error : undefined
  const inner = 'error' in error ? error.error : undefined
  return refusalIn(error.cause) ?? refusalIn(inner)
}

/** For `assert.rejects`: the reason that a framework's error comes from. */
export function refusedFor(reason: string): (error: unknown) => boolean {
  return error => refusalIn(error)?.reason === reason
}
