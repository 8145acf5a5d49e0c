import type { AgentRegistration, Grant } from '../../protocol/agent.ts'
import { checksumsEqual, parseChecksum } from '../../protocol/checksum.ts'
import { type ErrorCode, OAuthError } from '../../protocol/errors.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findAgentKeys } from '../store/agent-keys.ts'
import type { AgentName } from '../store/agent-lists.ts'
import type { Agent } from '../store/agents.ts'
import type { Client } from '../store/clients.ts'
import { hasCountedVersion, newestProposal, newestVersion, wasRevoked } from '../store/registrations.ts'
import { clientToRegisterFor } from './app-client.ts'
import { drainAbove, type Excess, grantAbove, grantableAccess } from './ceiling.ts'
import { type KeptComponents, keepComponents } from './components.ts'
import { anyHiddenText } from './hidden-text.ts'
import { type SentKey, sentKeys } from './sent-keys.ts'
import type { AgentBefore, Asked } from './version-decision.ts'

/** A registration that is in order by itself, whatever the agent looks like. */
export type Examined = {
  readonly client: Client
  readonly name: AgentName
  readonly kept: KeptComponents
  readonly keys: readonly SentKey[]
}

/**
 * Checks what of a registration needs no look at the agent (protocol.md section 4). Reads only.
 * Throws `unauthorized_client`, `invalid_request`, `agent_checksum_mismatch`, `invalid_scope`.
 */
export async function examineRegistration(ctx: Context, caller: Caller, body: AgentRegistration): Promise<Examined> {
  const client = await clientToRegisterFor(ctx, caller, body.app_id)
  const name = { client_id: client.client_id, agent_id: body.agent_components.agent_id }
  const kept = keepComponents(body)
  checkClaimed(body.claimed_checksum, kept.checksum)
  checkDrain(client, body.drain_seconds)
  checkGrant(ctx, client, body.grant)
  return { client, name, kept, keys: await sentKeys(ctx, name, body) }
}

/** What there is of an agent before this version comes; `agent` undefined where it is new. Reads only. */
export async function agentBefore(
  ctx: Context,
  { client_id, agent_id }: AgentName,
  agent: Agent | undefined,
  checksum: string,
): Promise<AgentBefore> {
  const has_counted = await hasCountedVersion(ctx, client_id, agent_id)
  return {
    grant: agent ?? { access: [], outside_workflow: false },
    held: await findAgentKeys(ctx, client_id, agent_id),
    has_counted,
    proposal: has_counted ? undefined : await newestProposal(ctx, client_id, agent_id),
    newest_version: await newestVersion(ctx, client_id, agent_id),
    was_revoked: await wasRevoked(ctx, client_id, agent_id, checksum),
  }
}

/** What a registration asks for, in the terms of the decision. */
export function askedFor(
  ctx: Context,
  { client, keys }: Examined,
  body: AgentRegistration,
  stated: ReadonlySet<string>,
): Asked {
  return {
    require_approval: client.policies.require_approval,
    hidden: anyHiddenText(body.agent_components),
    grant: body.grant,
    default_grant: defaultGrant(ctx, client),
    keys,
    stated,
  }
}

function checkClaimed(claimed: string | undefined, checksum: string): void {
  if (claimed === undefined || checksumsEqual(parseChecksum(claimed), checksum)) return
  throw new OAuthError('agent_checksum_mismatch', 'The claimed checksum is not that of the components as received.', {
    status: 400,
    reason: 'claimed_checksum_mismatch',
  })
}

function checkDrain(client: Client, drain_seconds: number): void {
  const excess = drainAbove(client, drain_seconds)
  if (excess) throw refused('invalid_request', excess)
}

function checkGrant(ctx: Context, client: Client, grant: Grant | undefined): void {
  const excess = grant && grantAbove(client, ctx.config, grant)
  if (excess) throw refused('invalid_scope', excess)
}

function refused(code: ErrorCode, { sentence, reason, compared }: Excess): OAuthError {
  return new OAuthError(code, sentence, { reason, compared })
}

/** Nothing, or by the client's policy its whole ceiling; never `outside_workflow` (protocol.md section 4). */
function defaultGrant(ctx: Context, client: Client): Grant | undefined {
  if (client.policies.default_grant === 'none') return undefined
  return { access: [...grantableAccess(client.access, ctx.config)], outside_workflow: false }
}
