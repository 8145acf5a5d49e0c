import { checksumsEqual } from '../../../protocol/checksum.ts'
import type { DpopProof } from '../../../protocol/dpop.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import { TOKEN_EXCHANGE_GRANT } from '../../../protocol/grant-types.ts'
import { agentSubject, bareId } from '../../../protocol/names.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import { checkShim } from '../../registry/shim-releases.ts'
import type { Agent } from '../../store/agents.ts'
import type { Client } from '../../store/clients.ts'
import { isValid } from '../../store/registrations.ts'
import type { AgentAuthorization, Authorization } from '../authorization.ts'
import type { ProvenDelegation } from '../delegation.ts'
import { type Initiation, readInitiation } from '../initiation.ts'
import { intentOf } from '../intent.ts'
import type { PassContext } from '../known-records.ts'
import { onlyRegisteredKey, provePossession } from '../possession.ts'
import { registeredTarget } from '../target.ts'
import { refusedUnder } from './ceiling-refusal.ts'
import { assertedChain, recordedChain } from './chain.ts'
import { type ReadDelegation, readDelegation, refusedOver } from './delegated.ts'
import { authorizeStep, type StepAuthorization } from './workflow.ts'

type Sent = {
  readonly proof: DpopProof | undefined
  readonly shim: string | undefined
  readonly address: string
}

/**
 * The agent grant, rows 4 to 10 of protocol.md section 6 in their order: agent, checksum, possession, subject token,
 * step, delegation, audience and scope. Reads only.
 */
export async function agentGrant(
  ctx: PassContext,
  request: AgentGrantRequest,
  client: Client,
  sent: Sent,
): Promise<Authorization> {
  const { client_id, policies } = client
  const { proof } = sent
  const { resource, scope, key_statement } = request
  // Asked for at the same time, so that both are one reading.
  const [{ agent, version, assigned }, bound] = await Promise.all([
    provenAgent(ctx, request, client, sent.address),
    proof && ctx.known.agentKey(proof.jkt),
  ])
  const { agent_id } = agent
  const possession = await provePossession(ctx, client, agent_id, { proof, bound, key_statement })
  const shim = await checkShim(ctx, client, sent.shim)
  const initiation = await readInitiation(ctx, request, client, proof)
  const read = await readDelegation(ctx, request, { client, agent_id, jkt: proof?.jkt })
  const step = await authorizeStep(ctx, {
    request,
    client,
    agent,
    assigned,
    initiator: initiation?.user,
    ...read,
  }).catch(refusedOver(read.refused))
  const delegation = delegationOf(read, initiation)
  const chain = recordedChain(request, delegation?.chain ?? [agentSubject(client_id, agent_id)], policies)
  const believed = policies.workflow_state === 'asserted' && !delegation
  const ids = believed ? await assertedChain(ctx, request, client_id) : chain.map(bareId)
  const ceilings = [
    ...[client.access, agent.access],
    ...[step.access, step.entry?.access].filter(access => access !== undefined && access !== null),
    ...(delegation?.ceilings ?? []),
  ]
  const target = await registeredTarget(ctx, resource, scope, ceilings, step.entry?.judged.step).catch(
    refusedUnder({ client, resource, step, delegation }),
  )
  const unboundDraft = !proof && target.token_profile === 'draft'
  const intent = intentOf({
    ...{ request, agent_id, chain, ids, step },
    believes: believed && request.chain !== undefined,
    initiated_by: initiatedBy(step, delegation, chain),
  })
  const subject = subjectOf(intent.initiated_by, chain)
  return {
    grant: 'agent',
    client,
    target,
    scope,
    ...subject,
    ...endOf(step, delegation),
    ...(request.grant_type === TOKEN_EXCHANGE_GRANT && { exchanged: true }),
    agent: {
      agent_id,
      ...version,
      ...possession,
      ...{ chain, intent },
      ...(shim && { shim }),
      ...(step.workflow && { workflow: step.workflow }),
      ...(step.entry && { entry: step.entry }),
      ...(delegation && { delegation }),
      ...(unboundDraft && { registered_key: await onlyRegisteredKey(ctx, client_id, agent_id) }),
    },
  }
}

/** Rows 4 and 5: an active agent of this client, and the version that its checksum names. */
async function provenAgent(
  ctx: PassContext,
  request: AgentGrantRequest,
  { client_id }: Client,
  address: string,
): Promise<{
  readonly agent: Agent
  readonly version: Pick<AgentAuthorization, 'registration_id' | 'version' | 'checksum'>
  readonly assigned: boolean
}> {
  const record = await ctx.known.agent({ client_id, agent_id: request.agent_id })
  const agent = record?.agent
  if (agent?.status !== 'active') {
    throw new OAuthError('unknown_agent', 'The client has no active agent of this agent_id; register it first.', {
      ajwt_error: 'unknown_agent',
      reason: agent ? 'agent_not_active' : 'unknown_agent',
    })
  }
  // Where a client's key was stolen, its thief must not find out by trying what the agent is made of.
  const name = agentSubject(client_id, agent.agent_id)
  ctx.limits.checksums.check(name, address)
  const now = ctx.now()
  const found = record?.registrations.find(({ value }) => {
    return isValid(value, now) && checksumsEqual(value.checksum, request.computed_checksum)
  })
  if (!found) {
    ctx.limits.checksums.wrong(name, address, request.computed_checksum)
    throw new OAuthError('agent_checksum_mismatch', 'The checksum is not that of a valid version of the agent.', {
      ajwt_error: 'agent_checksum_mismatch',
    })
  }
  const { registration_id, version, checksum, drains_until: until } = found.value
  ctx.known.relyOn({ kind: 'registration', id: registration_id, version: found.version, until })
  return { agent, version: { registration_id, version, checksum }, assigned: record?.assigned === true }
}

/** Row 9: a delegation that was refused is so only here; a subject token of ours must be the parent of one. */
function delegationOf(
  { delegation, refused }: ReadDelegation,
  initiation: Initiation | undefined,
): ProvenDelegation | undefined {
  if (refused) throw refused
  const parent_jti = initiation?.parent_jti
  if (parent_jti !== undefined && delegation?.parent.jti !== parent_jti) {
    throw new OAuthError('invalid_request', 'An intent token is exchanged only with an assertion of its delegation.', {
      reason: 'subject_token_without_delegation',
    })
  }
  return delegation
}

/** The execution's; without one the parent's; else the agent began it. */
function initiatedBy(
  { entry }: StepAuthorization,
  delegation: ProvenDelegation | undefined,
  [root = '']: readonly string[],
): string {
  return entry?.initiated_by ?? delegation?.parent.initiated_by ?? root
}

/** A person whose intent it serves, else the root of the chain (protocol.md section 7). */
function subjectOf(initiated_by: string, [root = '']: readonly string[]): Pick<Authorization, 'sub' | 'sub_profile'> {
  return initiated_by.startsWith('user:')
    ? { sub: initiated_by, sub_profile: 'user' }
    : { sub: root, sub_profile: 'ai_agent' }
}

function endOf(
  { entry }: StepAuthorization,
  delegation: ProvenDelegation | undefined,
): Pick<Authorization, 'not_after'> {
  const ends = [entry?.expires_at, delegation?.expires_at].filter(end => end !== undefined)
  return ends.length === 0 ? {} : { not_after: new Date(Math.min(...ends.map(end => end.getTime()))) }
}
