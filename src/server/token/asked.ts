import type { DpopProof } from '../../protocol/dpop.ts'
import { ADMIN_SCOPES, ISSUER_SCOPES } from '../../protocol/own-resources.ts'
import { splitScope } from '../../protocol/scope.ts'
import type { TokenRequest } from '../../protocol/token-request.ts'
import type { WorkflowRequest } from '../../protocol/workflow-request.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import { findExecution } from '../store/executions.ts'
import { findResource } from '../store/resources.ts'
import { findActiveWorkflow } from '../store/workflows.ts'
import type { PreparedToken } from './issue.ts'

/** What a refused mint asked for, for its audit row: null for a name that nobody registered. */
export type Asked = {
  readonly resource?: string | null
  readonly scope: string
  /** How many of the scopes asked for nobody registered. */
  readonly unknown_scopes: number
  /** Bare hex, as sent. */
  readonly checksum?: string
  /** Thumbprint of the key that signed the proof; null without one. */
  readonly jkt: string | null
  readonly workflow_id?: string | null
  readonly workflow_step?: string | null
  /** Null for one that this client does not have. */
  readonly execution_id?: string | null
}

/**
 * Names that the registry knows, thumbprint and checksum: a secret that was pasted into the wrong parameter must not
 * come to rest in the trail (attack 111).
 */
export async function askedOf(
  ctx: Context,
  request: TokenRequest,
  client: Client,
  proof: DpopProof | undefined,
): Promise<Asked> {
  const { resource, scope } = request
  const found = resource === undefined ? undefined : await findResource(ctx, resource)
  const isKnown = found !== undefined || client.access.some(pair => pair.resource === resource)
  const words = new Set<string>([
    ...ISSUER_SCOPES,
    ...ADMIN_SCOPES,
    ...(found?.scopes ?? []).map(({ name }) => name),
    ...client.access.flatMap(pair => splitScope(pair.scope) ?? []),
  ])
  const known = scope.filter(name => words.has(name))
  return {
    ...(resource !== undefined && { resource: isKnown ? resource : null }),
    scope: known.join(' '),
    unknown_scopes: scope.length - known.length,
    jkt: proof?.jkt ?? null,
    ...('agent_id' in request && { checksum: request.computed_checksum }),
    ...('workflow' in request && request.workflow && (await askedStep(ctx, client.client_id, request.workflow))),
  }
}

/** The same of a mint that was refused only in its write, when everything it named had been found. */
export function askedByToken({ permitted, claims }: PreparedToken): Asked {
  const { agent, jkt = null } = permitted
  const { workflow_id, workflow_step } = agent?.workflow ?? {}
  const execution_id = agent?.entry?.opening ? undefined : agent?.entry?.execution_id
  return {
    resource: permitted.target.resource,
    scope: claims.scope,
    unknown_scopes: 0,
    jkt,
    ...(agent && { checksum: agent.checksum }),
    ...(workflow_id !== undefined && { workflow_id }),
    ...(workflow_step !== undefined && { workflow_step }),
    ...(execution_id !== undefined && { execution_id }),
  }
}

async function askedStep(
  ctx: Context,
  client_id: string,
  { workflow_id, workflow_step, execution_id }: WorkflowRequest,
): Promise<Pick<Asked, 'workflow_id' | 'workflow_step' | 'execution_id'>> {
  const found = execution_id === undefined ? undefined : await findExecution(ctx, execution_id)
  const own = found?.client_id === client_id ? found : undefined
  // An execution goes on by its own version, whatever counts by now.
  const pinned = own?.workflow_id === workflow_id ? own : undefined
  const workflow = pinned ?? (await findActiveWorkflow(ctx, client_id, workflow_id))
  const step = workflow?.steps.find(({ step_id }) => step_id === workflow_step)
  return {
    workflow_id: workflow ? workflow_id : null,
    workflow_step: step?.step_id ?? null,
    ...(execution_id !== undefined && { execution_id: own ? execution_id : null }),
  }
}
