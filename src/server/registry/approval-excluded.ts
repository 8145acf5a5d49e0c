import { parseSubjectName } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import type { ListedApproval } from '../store/approvals.ts'
import { findClient } from '../store/clients.ts'
import { delegatesOf } from '../store/delegations.ts'
import { registrantsSince } from '../store/registration-decisions.ts'
import { findTrustedIssuer } from '../store/trusted-issuers.ts'
import { findVersion, type WorkflowVersionRow } from '../store/workflows.ts'
import { registrants } from './four-eyes.ts'
import { isAmong } from './same-person.ts'

/** The definition that the execution of an approval is pinned to. */
export async function versionOfApproval(ctx: Context, approval: ListedApproval): Promise<WorkflowVersionRow> {
  const { client_id, workflow_id, workflow_version } = approval
  const version = await findVersion(ctx, client_id, workflow_id, workflow_version)
  if (!version) throw new Error('An execution has no definition.')
  return version
}

/**
 * Who may not decide about an approval (protocol.md section 6; ADR 19): whoever began or opened the execution, owns the
 * client that runs it, registered its workflow or an agent that has a part in it, or owns the client that did.
 */
export async function excludedOwners(
  ctx: Context,
  approval: ListedApproval,
  version: WorkflowVersionRow,
): Promise<readonly string[]> {
  const { client_id, initiated_by, opened_by, execution_opened_at } = approval
  const agents = agentsWithPart(approval, version, await delegatesOf(ctx, approval.execution_id))
  const owners = [
    await personBehind(ctx, initiated_by),
    await personBehind(ctx, opened_by),
    await ownerOf(ctx, client_id),
    await personBehind(ctx, version.registered_by),
    ...(await registrants(ctx, version)).map(owner => owner ?? undefined),
    ...(await registrantsSince(ctx, agents, execution_opened_at)),
  ]
  return [...new Set(owners.filter(owner => owner !== undefined))]
}

/** Who asks, whose step it is, who began or opened the execution, and all who delegated in it. */
function agentsWithPart(
  { client_id, agent_id, step_id, initiated_by, opened_by }: ListedApproval,
  { definition }: WorkflowVersionRow,
  delegates: readonly string[],
): readonly AgentName[] {
  const ofStep = definition.steps.find(step => step.step_id === step_id)?.agent_id ?? agent_id
  const named = [initiated_by, opened_by, ...delegates].map(parseSubjectName)
  return [{ client_id, agent_id }, { client_id, agent_id: ofStep }, ...named.filter(name => name?.kind === 'agent')]
}

/**
 * A person by a token of an issuer of operators, or a client of kind operator, and nobody who has a part in what is
 * asked; the only administrator is no exception. Throws Problem `forbidden`.
 */
export async function checkMayDecide(tx: Context, caller: Caller, excluded: readonly string[]): Promise<void> {
  if (!(await isPersonOrOperator(tx, caller))) {
    throw new Problem('forbidden', 'A person decides, or a client of kind operator.', 'approver_not_operator')
  }
  if (await isAmong(tx, caller.acting_owner, excluded)) {
    throw new Problem(
      'forbidden',
      'Somebody else must decide: the acting owner began this execution, owns its client, or registered what runs.',
      'own_step',
    )
  }
}

/** A workload has a `user:` subject too (protocol.md section 6), and is nobody who could read what it grants. */
async function isPersonOrOperator(tx: Context, { sub, client_id }: Caller): Promise<boolean> {
  const subject = parseSubjectName(sub)
  if (subject?.kind !== 'user') return (await findClient(tx, client_id))?.kind === 'operator'
  const issuer = await findTrustedIssuer(tx, subject.issuer)
  return issuer?.status === 'active' && issuer.purpose === 'operator'
}

async function ownerOf(ctx: Context, client_id: string): Promise<string | undefined> {
  return (await findClient(ctx, client_id))?.owner
}

/** The user of a subject name, or the owner of the client that it names. */
async function personBehind(ctx: Context, name: string): Promise<string | undefined> {
  const subject = parseSubjectName(name)
  return subject === undefined || subject.kind === 'user' ? name : await ownerOf(ctx, subject.client_id)
}
