import { z } from 'zod'
import type { Explanation } from '../../protocol/audit-views.ts'
import { checksumsEqual } from '../../protocol/checksum.ts'
import { errorUri, isWireCode, REASON_CATALOGUE, type ReasonEntry } from '../../protocol/error-catalogue.ts'
import { hasCounted } from '../../protocol/rollback-target.ts'
import type { Context } from '../context.ts'
import type { StoredAuditRow } from '../store/audit.ts'
import type { PinnedExecution } from '../store/executions.ts'
import type { RevocationRef } from '../store/revocations.ts'
import { fillCommand } from './explain-command.ts'
import {
  type AgentState,
  agentState,
  clientFacts,
  type Fact,
  fact,
  resourceFacts,
  revocationFacts,
} from './explain-facts.ts'
import { executionFacts, executionOf, workflowFacts } from './explain-workflow.ts'

export type Part = Omit<Explanation, 'kind' | 'id' | 'rows'>

const UNKNOWN: ReasonEntry = {
  check: 'This release does not know the check of this reason; another release wrote the row.',
  mend: 'Look into the documentation of the release that wrote it.',
}

/** What the audit row of a refused mint keeps of the request, as far as this release wrote it. */
const askedSchema = z.object({
  asked: z
    .object({
      resource: z.string().nullish(),
      scope: z.string().optional(),
      unknown_scopes: z.number().optional(),
      checksum: z.string().optional(),
      jkt: z.string().nullish(),
      workflow_id: z.string().nullish(),
      workflow_step: z.string().nullish(),
      execution_id: z.string().nullish(),
    })
    .optional()
    // Of another act, which keeps a number there.
    .catch(undefined),
  error: z.string().optional(),
  missing_steps: z.array(z.string()).optional(),
  approval_id: z.string().optional(),
  delegated_scope: z.string().optional(),
  compared: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  workflow_id: z.string().nullish(),
  registration_id: z.string().optional(),
  caller: z.string().optional(),
})
type Details = z.output<typeof askedSchema>

/** A refusal: the check, what was asked beside what the registry holds now, and what mends it. */
export async function explainRefusal(ctx: Context, row: StoredAuditRow): Promise<Part> {
  const details = askedSchema.safeParse(row.details).data ?? {}
  const reason = row.reason ?? 'server_error'
  const entry = (Object.hasOwn(REASON_CATALOGUE, reason) ? REASON_CATALOGUE[reason] : undefined) ?? UNKNOWN
  const agent = row.client_id && row.agent_id ? await agentState(ctx, row.client_id, row.agent_id) : undefined
  const mend = agent && mendOfAgent(reason, details, agent)
  const ids = {
    client_id: row.client_id,
    agent_id: row.agent_id,
    resource: details.asked?.resource,
    workflow_id: details.asked?.workflow_id ?? details.workflow_id,
    registration_id: mend?.registration_id ?? details.registration_id,
    checksum: details.asked?.checksum,
    caller: details.caller ?? row.client_id,
    audit_id: row.id,
    execution_id: row.execution_id,
    approval_id: details.approval_id,
  }
  const execution = await executionOf(ctx, row.execution_id)
  const command = mend?.command ?? commandIn(execution, entry)
  return {
    outcome: 'refused',
    reason,
    check: entry.check,
    facts: [...askedFacts(row, details), ...(await registryFacts(ctx, row, details, { agent, execution }))],
    mend: mend?.mend ?? entry.mend,
    command: command === undefined ? null : fillCommand(command, ids),
    error_uri: pageOf(ctx, reason, details.error),
  }
}

/** Where a step is asked for in an execution, its record says more than the definition that counts now. */
function commandIn(execution: PinnedExecution | undefined, { command }: ReasonEntry): string | undefined {
  return execution && command?.startsWith('remit workflow show ') ? 'remit execution show {execution_id}' : command
}

type AgentMend = { readonly mend: string; readonly command: string; readonly registration_id?: string }

/** What the state of the agent says more exactly than the reason alone. */
function mendOfAgent(
  reason: string,
  { asked }: Details,
  { status, versions, jkts }: AgentState,
): AgentMend | undefined {
  if (reason === 'agent_not_active' && status === 'suspended') {
    return {
      mend: 'The agent is suspended: see why with "remit agent show", then resume it.',
      command: 'remit agent resume {client_id} {agent_id}',
    }
  }
  if (reason === 'agent_key_mismatch' && jkts.length === 0) {
    return {
      mend: 'The agent has no registered key, so nothing can be signed for it: give it a new one.',
      command: 'remit agent key add {client_id} {agent_id} --key FILE',
    }
  }
  if (reason !== 'agent_checksum_mismatch' || asked?.checksum === undefined) return undefined
  const { checksum } = asked
  const same = versions.find(version => checksumsEqual(version.checksum, checksum))
  if (same?.status === 'pending') {
    return {
      mend: `The checksum is that of version ${same.version}, which waits: look at it, then approve it.`,
      command: 'remit agent approve {client_id} {agent_id} --registration {registration_id} --checksum {checksum}',
      registration_id: same.registration_id,
    }
  }
  if (same && same.rejected_at !== null) {
    return {
      mend: `The checksum is that of version ${same.version}, which was turned down (${same.reject_reason ?? 'no reason given'}): deploy the version that counts, or register what should run.`,
      command: 'remit agent version {client_id} {agent_id} {registration_id}',
      registration_id: same.registration_id,
    }
  }
  if (!same || !hasCounted(same)) return undefined
  return {
    mend: `The checksum is that of version ${same.version}, which mints no more: deploy the version that counts, or go back to this one.`,
    command: 'remit agent rollback {client_id} {agent_id} --to {registration_id}',
    registration_id: same.registration_id,
  }
}

function askedFacts(row: StoredAuditRow, details: Details): readonly Fact[] {
  const { asked, missing_steps, delegated_scope, compared = {} } = details
  const facts = [fact('asked by', row.actor), ...(row.agent_id === null ? [] : [fact('asked for agent', row.agent_id)])]
  if (asked?.resource !== undefined) facts.push(fact('asked resource', asked.resource ?? 'a name nobody registered'))
  if (asked?.scope !== undefined) facts.push(fact('asked scope', asked.scope))
  if (asked?.unknown_scopes) facts.push(fact('asked scopes nobody registered', asked.unknown_scopes))
  if (asked?.checksum !== undefined) facts.push(fact('asked checksum', `sha256:${asked.checksum}`))
  if (asked?.jkt !== undefined) facts.push(fact('asked with key (jkt)', asked.jkt ?? 'no proof was sent'))
  if (asked?.workflow_id !== undefined) facts.push(fact('asked workflow_id', asked.workflow_id ?? 'an unknown one'))
  if (asked?.workflow_step !== undefined)
    facts.push(fact('asked workflow_step', asked.workflow_step ?? 'an unknown one'))
  if (asked?.execution_id !== undefined) facts.push(fact('asked execution_id', asked.execution_id ?? 'an unknown one'))
  facts.push(...Object.entries(compared).map(([name, value]) => fact(`compared ${name}`, value)))
  if (delegated_scope !== undefined) facts.push(fact('delegation', delegated_scope))
  if (missing_steps) facts.push(fact('missing steps', missing_steps.join(' ')))
  return facts
}

async function registryFacts(
  ctx: Context,
  { client_id, agent_id }: StoredAuditRow,
  { asked }: Details,
  { agent, execution }: { readonly agent: AgentState | undefined; readonly execution: PinnedExecution | undefined },
): Promise<readonly Fact[]> {
  const refs: RevocationRef[] = []
  if (client_id !== null) refs.push({ kind: 'client', id: client_id })
  if (client_id !== null && agent_id !== null) refs.push({ kind: 'agent', id: `${client_id}/${agent_id}` })
  if (asked?.jkt) refs.push({ kind: 'key', id: asked.jkt })
  return [
    ...(client_id === null ? [] : await clientFacts(ctx, client_id)),
    ...(agent?.facts ?? []),
    ...(asked?.resource ? await resourceFacts(ctx, asked.resource) : []),
    ...(execution ? await executionFacts(ctx, execution, asked?.workflow_step) : []),
    ...(!execution && client_id !== null && asked?.workflow_id
      ? await workflowFacts(ctx, { ...asked, client_id, workflow_id: asked.workflow_id })
      : []),
    ...(await revocationFacts(ctx, refs)),
  ]
}

/** The page of the precise code: a reason that is one, else what the client was answered. */
function pageOf({ config }: Context, reason: string, error: string | undefined): string | null {
  if (isWireCode(reason)) return errorUri(config.issuer, reason)
  return error !== undefined && isWireCode(error) ? errorUri(config.issuer, error) : null
}
