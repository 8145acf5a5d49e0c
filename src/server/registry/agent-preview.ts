import type { AgentRegistration } from '../../protocol/agent.ts'
import type { ComponentsDiff, PreviewAnswer } from '../../protocol/agent-views.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { isAgentIdTaken } from '../store/agent-names.ts'
import { type Agent, findAgent } from '../store/agents.ts'
import { findActiveRegistration, findLiveByChecksum, hasDrained } from '../store/registrations.ts'
import { diffComponents } from './agent-diff.ts'
import { agentIdTaken, agentWasRevoked } from './agent-name.ts'
import { duplicateAgent } from './agent-version.ts'
import { mayReadComponents } from './component-reads.ts'
import { warningsOf } from './component-warnings.ts'
import { openComponents, type StoredComponents } from './components.ts'
import { previewStatedKeys } from './key-statements.ts'
import { agentBefore, askedFor, examineRegistration } from './registration-examination.ts'
import { decideVersion } from './version-decision.ts'

/**
 * What registering this version would do and what an approver should look at (protocol.md section 4). Reads only, after
 * `fetchSignerAhead`, and refuses what `registerAgent` refuses, but for what only a write decides: a key statement that
 * was taken before, a 17th key, and what others register meanwhile.
 */
export async function previewAgent(ctx: Context, caller: Caller, body: AgentRegistration): Promise<PreviewAnswer> {
  const examined = await examineRegistration(ctx, caller, body)
  const { name, kept } = examined
  const { checksum } = kept
  const agent = await agentToChange(ctx, name)
  await refuseDuplicate(ctx, name, checksum)
  const vouched = { client: examined.client, agent: agent ?? { ...name, status: 'active' as const } }
  const stated = await previewStatedKeys(ctx, vouched, body.key_statement, examined.keys)
  const asked = askedFor(ctx, examined, body, stated)
  const { version, status, pending_for } = decideVersion(await agentBefore(ctx, name, agent, checksum), asked)
  return {
    agent_id: name.agent_id,
    checksum,
    checksum_profile: body.checksum_profile,
    version,
    status,
    pending_for: [...pending_for],
    warnings: await warningsOf(ctx, name, body, kept.content_digest),
    ...(await againstActive(ctx, caller, name, body.agent_components)),
  }
}

/** Throws `invalid_request`, as registering does. */
async function agentToChange(ctx: Context, name: AgentName): Promise<Agent | undefined> {
  const agent = await findAgent(ctx, name.client_id, name.agent_id)
  if (agent?.status === 'revoked') throw agentWasRevoked()
  if (!agent && (await isAgentIdTaken(ctx, name))) throw agentIdTaken()
  return agent
}

/** Registering retires what has drained first. Throws `duplicate_agent`. */
async function refuseDuplicate(ctx: Context, { client_id, agent_id }: AgentName, checksum: string): Promise<void> {
  const twin = await findLiveByChecksum(ctx, client_id, agent_id, checksum)
  if (twin && !hasDrained(twin, ctx.now())) throw duplicateAgent({ agent_id, checksum }, twin.registration_id)
}

/** Compared with the version that counts now: what changes is what was there before, for those who may read that. */
async function againstActive(
  ctx: Context,
  caller: Caller,
  name: AgentName,
  components: StoredComponents,
): Promise<{ against: PreviewAnswer['against']; diff: ComponentsDiff | null }> {
  const active = await findActiveRegistration(ctx, name)
  if (!active) return { against: null, diff: null }
  if (!mayReadComponents(caller)) return { against: active, diff: null }
  const before = await openComponents(ctx, active.registration_id)
  return before ? { against: active, diff: diffComponents(before, components) } : { against: null, diff: null }
}
